//! Over HTTPS with a token, as from another machine.

use dormouse_persistence::Store;

use super::configuration::secured;
use super::server::Prometheus;
use super::{installed, number, until};
use crate::bank::{deposit, start};
use crate::client::authority;
use crate::tls::{builder, files};
use crate::tokens::{METRICS, file};

const ANOTHER: &str = "4f8a0c51d9e2b7746a15f0c8e94b2d7735ad60e1f8c29b4407d6a3be158fc924";

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_a_target_that_is_down_until_it_is_put_right() {
    if !installed() {
        return;
    }
    let files = files();
    let ops = builder(&files).bind("127.0.0.1:0").start().unwrap();
    let bank = start(Store::in_memory()).await;
    ops.attach(&bank);
    deposit(&bank, "acc-1", 10).await;
    // the certificate is for this name
    let target = authority(&ops).replace("127.0.0.1", "localhost");
    let token = file(&files.directory, "prometheus", ANOTHER);
    let prometheus = Prometheus::start(&secured(&target, &files.certificates, &token));

    until("it is refused", || {
        let target = prometheus.target()?;
        let is_refused = target.health == "down" && target.error.contains("401");
        if is_refused {
            Ok(())
        } else {
            Err(format!("{target:?}"))
        }
    })
    .await;
    until("it is known to be down", || {
        let up = prometheus.query("up{job=\"bank\"}")?;
        if number(&up) == Some(0.0) {
            Ok(())
        } else {
            Err(up.to_string())
        }
    })
    .await;

    // it reads the file at each scrape
    std::fs::write(&token, METRICS).unwrap();
    until("it is scraped", || {
        let target = prometheus.target()?;
        assert!(target.url.starts_with("https://"), "{target:?}");
        let commands = prometheus.query("sum(dormouse_commands_total{job=\"bank\"})")?;
        let is_up = target.health == "up" && number(&commands) > Some(0.0);
        if is_up {
            Ok(())
        } else {
            Err(format!("{target:?}, {commands}"))
        }
    })
    .await;
    bank.shutdown().await.unwrap();
    ops.stop().await;
}
