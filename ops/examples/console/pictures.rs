//! The pictures of the documentation: each page, light and dark, and some as a phone shows them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use dormouse_ops::Ops;

use crate::browser::Browser;
use crate::traffic::PARCEL;

/// So much is on the charts: they show two minutes then.
const FILL: Duration = Duration::from_secs(118);

/// A picture's name, its page, and what is there once it is drawn.
const PAGES: &[(&str, &str, &str)] = &[
    ("overview", "", "document.querySelector('.chart .area')"),
    (
        "aggregates",
        "aggregates?prefix=2026-11-2",
        "document.querySelector('#residents td')",
    ),
    (
        "aggregate",
        "aggregate?type=parcel&id=PARCEL&at=7",
        "document.querySelector('#state .add')",
    ),
    (
        "meter",
        "aggregate?type=meter&id=belt-7&at=50000",
        "document.querySelector('#state .add')",
    ),
    ("store", "store", "document.querySelector('.bars')"),
    ("jobs", "jobs", "document.querySelector('#jobs .chip')"),
];
const ON_A_PHONE: [&str; 2] = ["overview", "aggregate"];

pub(crate) async fn take(ops: &Ops, directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    println!("filling the charts for {} s", FILL.as_secs());
    tokio::time::sleep(FILL).await;
    let missing = || anyhow::anyhow!("no Chromium, or no driver for it");
    let browser = Browser::start().await.ok_or_else(missing)?;
    // so that there is a job to see
    browser.open(&format!("{}store", ops.url())).await;
    for job in ["compact", "checkpoint"] {
        browser.click(&format!("[data-post$='/{job}']")).await;
        browser.click("#question button[value=yes]").await;
        browser
            .until("location.pathname.endsWith('/jobs') && document.querySelector('#jobs .chip')")
            .await;
        browser
            .until("!document.querySelector('#jobs .chip.awake')")
            .await;
        browser.open(&format!("{}store", ops.url())).await;
    }
    for page in PAGES {
        take_page(&browser, ops, page, "", directory).await?;
    }
    browser.end_but(&[]).await;
    let phone = Browser::start_phone().await.ok_or_else(missing)?;
    for page in PAGES.iter().filter(|(name, ..)| ON_A_PHONE.contains(name)) {
        take_page(&phone, ops, page, "-phone", directory).await?;
    }
    phone.end_but(&[]).await;
    Ok(())
}

async fn take_page(
    browser: &Browser,
    ops: &Ops,
    (name, page, drawn): &(&str, &str, &str),
    kind: &str,
    directory: &Path,
) -> anyhow::Result<()> {
    for theme in ["light", "dark"] {
        browser
            .open(&format!("{}{}", ops.url(), page.replace("PARCEL", PARCEL)))
            .await;
        browser.until(drawn).await;
        browser
            .until("document.querySelector('#standing span').textContent === 'Ready'")
            .await;
        let is_dark = "(document.documentElement.dataset.theme === 'dark')";
        if browser.script(&format!("return {is_dark}")).await != (theme == "dark") {
            browser.press("t").await;
        }
        browser.until(&format!("{is_dark} === {}", theme == "dark")).await;
        let file = directory.join(format!("console-{name}{kind}-{theme}.png"));
        fs::write(&file, browser.picture().await)?;
        println!("{}", file.display());
    }
    Ok(())
}
