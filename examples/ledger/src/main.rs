//! A ledger service on actix-web with Dormouse inside it: `cargo run -p ledger`, then
//!
//! ```sh
//! curl -X POST localhost:8080/accounts/acc-1 -H 'content-type: application/json' -d '{"owner":"Ada"}'
//! curl -X POST localhost:8080/accounts/acc-1/deposits -H 'idempotency-key: pay-1' \
//!      -H 'content-type: application/json' -d '{"cents":700}'
//! curl localhost:8080/accounts/acc-1
//! ```

mod account;
mod http;

use actix_web::{App, HttpServer, web};
use dormouse::{Dormouse, Store};
use tracing_subscriber::EnvFilter;

use account::Account;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    // What the store and the runtime have to say, from INFO on, or what RUST_LOG asks for.
    let wanted = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(wanted)
        .with_writer(std::io::stderr)
        .init();
    let directory = std::env::args().nth(1).unwrap_or_else(|| "ledger-store".into());
    let ledger = Dormouse::builder(Store::open(&directory)?)
        .aggregate::<Account>()
        .start()
        .await?;
    let shared = web::Data::new(ledger.clone());
    println!("ledger on http://127.0.0.1:8080, store in {directory}/");
    HttpServer::new(move || App::new().app_data(shared.clone()).configure(http::routes))
        .bind(("127.0.0.1", 8080))?
        .run()
        .await?;
    // the server has answered its last request: let the ledger finish, too
    ledger.shutdown().await?;
    Ok(())
}
