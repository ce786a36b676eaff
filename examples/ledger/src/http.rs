//! HTTP in, commands out. Every way a command can end has its status, so that a client knows whether to retry.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use dormouse::{Command, CommandError, CommandId, Dormouse, Entity, Handle, NotDone};
use serde::Serialize;

use crate::account::{Account, Deposit, Open, Refusal, Withdraw};

/// The longest a client waits.
const WITHIN: Duration = Duration::from_secs(2);
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 256;

/// The service's routes.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(
            web::JsonConfig::default()
                .error_handler(|error, _| Problem::new(error.status_code(), &error).into()),
        )
        .route("/accounts/{id}", web::post().to(open))
        .route("/accounts/{id}", web::get().to(show))
        .route("/accounts/{id}/deposits", web::post().to(book::<Deposit>))
        .route("/accounts/{id}/withdrawals", web::post().to(book::<Withdraw>));
}

#[derive(Serialize)]
struct Balance {
    cents: i64,
}

async fn open(ledger: web::Data<Dormouse>, id: web::Path<String>, body: web::Json<Open>) -> Answer {
    account(&ledger, &id)?
        .execute(body.into_inner())
        .within(WITHIN)
        .await?;
    Ok(HttpResponse::Created().finish())
}

async fn show(ledger: web::Data<Dormouse>, id: web::Path<String>) -> Answer {
    let account = account(&ledger, &id)?.query(Account::clone).within(WITHIN).await;
    match account.map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, &error))? {
        Account { owner: None, .. } => Err(Problem::new(StatusCode::NOT_FOUND, &Refusal::NotOpen)),
        account => Ok(HttpResponse::Ok().json(account)),
    }
}

/// Deposits and withdrawals.
async fn book<C>(
    request: HttpRequest,
    ledger: web::Data<Dormouse>,
    id: web::Path<String>,
    body: web::Json<C>,
) -> Answer
where
    C: Command<Reply = i64>,
    Account: Handle<C>,
{
    let key = idempotency_key(&request)?;
    let account = account(&ledger, &id)?;
    let cents = account.execute(body.into_inner()).id(key).within(WITHIN).await?;
    Ok(HttpResponse::Ok().json(Balance { cents }))
}

fn account(ledger: &Dormouse, id: &str) -> Result<Entity<Account>, Problem> {
    ledger
        .entity::<Account>(id)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, &error))
}

/// The client's key becomes the command's id: a payment sent twice is made once, and answered twice with the same.
fn idempotency_key(request: &HttpRequest) -> Result<CommandId, Problem> {
    let key = request
        .headers()
        .get("idempotency-key")
        .and_then(|value| value.to_str().ok());
    match key {
        Some(key) if (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()) => Ok(CommandId::from_key(key)),
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            &format!(
                "money moves only with an idempotency-key header of 1 to {IDEMPOTENCY_KEY_BYTES_MAX} characters"
            ),
        )),
    }
}

type Answer = Result<HttpResponse, Problem>;

/// What went wrong, as the client sees it.
#[derive(Debug, Serialize)]
struct Problem {
    #[serde(skip)]
    status: StatusCode,
    error: String,
}

impl Problem {
    fn new(status: StatusCode, error: &dyn fmt::Display) -> Self {
        Self {
            status,
            error: error.to_string(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status).json(self)
    }
}

/// 4xx: nothing happened, and the same again would not help. 503: nothing happened, retry. 504: it may have happened;
/// retry with the same key.
impl From<CommandError<Refusal>> for Problem {
    fn from(error: CommandError<Refusal>) -> Self {
        let status = match &error {
            CommandError::Refused(Refusal::NotOpen) => StatusCode::NOT_FOUND,
            CommandError::Refused(Refusal::AlreadyOpen) => StatusCode::CONFLICT,
            CommandError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            CommandError::NotDone(NotDone::CommandIdReused { .. }) => StatusCode::CONFLICT,
            CommandError::NotDone(NotDone::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            CommandError::NotDone(_) => StatusCode::SERVICE_UNAVAILABLE,
            CommandError::Unknown(_) => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::{TestRequest, call_service, init_service, read_body_json};
    use actix_web::{App, test};
    use dormouse::Store;
    use serde_json::{Value, json};

    async fn ledger() -> Dormouse {
        Dormouse::builder(Store::in_memory())
            .aggregate::<Account>()
            .start()
            .await
            .expect("it starts")
    }

    #[actix_web::test]
    async fn a_payment_sent_twice_is_made_once() {
        let ledger = ledger().await;
        let app = init_service(
            App::new()
                .app_data(web::Data::new(ledger.clone()))
                .configure(routes),
        )
        .await;
        let open = TestRequest::post()
            .uri("/accounts/acc-1")
            .set_json(json!({"owner": "Ada"}));
        assert_eq!(
            call_service(&app, open.to_request()).await.status(),
            StatusCode::CREATED
        );
        for _ in 0..2 {
            let pay = TestRequest::post()
                .uri("/accounts/acc-1/deposits")
                .insert_header(("idempotency-key", "pay-1"));
            let paid = call_service(&app, pay.set_json(json!({"cents": 700})).to_request()).await;
            assert_eq!(paid.status(), StatusCode::OK);
            assert_eq!(read_body_json::<Value, _>(paid).await, json!({"cents": 700}));
        }
        let other = TestRequest::post()
            .uri("/accounts/acc-1/deposits")
            .insert_header(("idempotency-key", "pay-1"));
        let reused = call_service(&app, other.set_json(json!({"cents": 1})).to_request()).await;
        assert_eq!(reused.status(), StatusCode::CONFLICT);
        let show = test::TestRequest::get().uri("/accounts/acc-1").to_request();
        let shown: Value = read_body_json(call_service(&app, show).await).await;
        assert_eq!(shown, json!({"owner": "Ada", "cents": 700}));
        ledger.shutdown().await.expect("a clean end");
    }

    #[actix_web::test]
    async fn a_body_that_cannot_be_read_is_answered_in_json() {
        let ledger = ledger().await;
        let app = init_service(
            App::new()
                .app_data(web::Data::new(ledger.clone()))
                .configure(routes),
        )
        .await;
        let cases = [
            ("application/json", r#"{"cents": "#),
            ("application/json", r#"{"cents": "many"}"#),
            ("text/plain", r#"{"cents": 1}"#),
        ];
        for (content_type, body) in cases {
            let pay = TestRequest::post()
                .uri("/accounts/acc-1/deposits")
                .insert_header(("idempotency-key", "k"))
                .insert_header(("content-type", content_type))
                .set_payload(body);
            let answer = call_service(&app, pay.to_request()).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{content_type} {body}");
            let problem: Value = read_body_json(answer).await;
            assert!(
                problem["error"].as_str().is_some_and(|error| error.len() > 10),
                "{problem}"
            );
        }
        ledger.shutdown().await.expect("a clean end");
    }

    #[actix_web::test]
    async fn bad_requests_say_what_is_wrong() {
        let ledger = ledger().await;
        let app = init_service(
            App::new()
                .app_data(web::Data::new(ledger.clone()))
                .configure(routes),
        )
        .await;
        let cases = [
            ("/accounts/acc-1/deposits", None, StatusCode::BAD_REQUEST),
            ("/accounts/acc-1/deposits", Some("k"), StatusCode::NOT_FOUND),
            ("/accounts/a%07b/deposits", Some("k"), StatusCode::BAD_REQUEST),
        ];
        for (uri, key, status) in cases {
            let mut pay = TestRequest::post().uri(uri).set_json(json!({"cents": 1}));
            if let Some(key) = key {
                pay = pay.insert_header(("idempotency-key", key));
            }
            let answer = call_service(&app, pay.to_request()).await;
            assert_eq!(answer.status(), status, "{uri} {key:?}");
            let problem: Value = read_body_json(answer).await;
            assert!(
                problem["error"].as_str().is_some_and(|error| error.len() > 10),
                "{problem}"
            );
        }
        ledger.shutdown().await.expect("a clean end");
    }
}
