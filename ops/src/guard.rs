//! What every request passes before a handler sees it, and every answer before it leaves.

mod attempts;
pub(crate) mod headers;
mod need;
mod origin;
mod sessions;
#[cfg(test)]
mod tests;
mod token;
mod unread;

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse};

use crate::problem::Problem;
use crate::scope::Scope;
use attempts::Attempts;
pub(crate) use attempts::FAILURES_MAX;
use need::Need;
use sessions::{Session, Sessions};
use unread::Unread;

pub(crate) use need::{LOGIN, LOGOUT};
pub(crate) use origin::Hosts;
pub use token::TokenError;
pub(crate) use token::{Token, TokenSource, Tokens};

/// What a request may carry in its body.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;
/// What an answer may take until its first byte, the reading of the request's body included. A stream of events goes on.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// A mutation must carry it: no form of another site can, and no script of another site may.
pub(crate) const ACTION_HEADER: &str = "x-dormouse-action";

/// What it is asked with and what it remembers of who asked.
pub(crate) struct Guard {
    pub(crate) hosts: Hosts,
    pub(crate) tokens: Tokens,
    /// Whether browsers reach it by TLS only: then its cookie never leaves without.
    pub(crate) secure: bool,
    attempts: Attempts,
    sessions: Sessions,
}

/// Who asks, and what they may do: in the extensions of each request that needs a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) scope: Scope,
    /// For the audit log.
    pub(crate) who: String,
}

impl Access {
    /// No tokens are configured: whoever reaches the port may do everything.
    fn local() -> Self {
        Self {
            scope: Scope::Act,
            who: "local process".into(),
        }
    }
}

impl Guard {
    pub(crate) fn new(hosts: Hosts, tokens: Tokens, secure: bool, wrong_tokens_max: u32) -> Self {
        Self {
            hosts,
            tokens,
            secure,
            attempts: Attempts::new(wrong_tokens_max),
            sessions: Sessions::default(),
        }
    }

    /// Runs a request: refuses it, or lets it through to its handler; a panic there is a 500.
    pub(crate) async fn run(
        &self,
        base: &str,
        mut request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let unread = request
            .headers()
            .contains_key(header::TRANSFER_ENCODING)
            .then(|| request.take_payload());
        let audited = (request.method() == Method::POST).then(|| Audited::of(&request));
        let checked = self.check(&request);
        let who = match &checked {
            Ok(Some(access)) => access.who.clone(),
            Ok(None) | Err(_) => "nobody".into(),
        };
        let answered = match checked {
            Ok(access) => answer(request, access, next).await,
            Err(problem) => Ok(refuse(base, request, &problem)),
        };
        if let Some(audited) = audited {
            let status = match &answered {
                Ok(answered) => answered.status(),
                Err(error) => error.as_response_error().status_code(),
            };
            audited.log(&who, status);
        }
        let mut answered = answered?;
        if let Some(unread) = unread {
            answered = answered.map_body(|_, answer| Unread::new(answer, unread).boxed());
        }
        headers::secure(answered.headers_mut());
        Ok(answered)
    }

    /// Who asks, if what is asked for needs it.
    fn check(&self, request: &ServiceRequest) -> Result<Option<Access>, Problem> {
        let headers = request.headers();
        let forbidden = |error: &str| Problem::new(StatusCode::FORBIDDEN, error);
        let host = text(headers, header::HOST.as_str()).unwrap_or_default();
        if !self.hosts.allow(host) {
            return Err(
                forbidden("this host name is not allowed: `allow_host` in the ops builder").of("Host"),
            );
        }
        let (method, path) = (request.method(), request.match_info().unprocessed());
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let sender = origin::Sender {
            origin: text(headers, header::ORIGIN.as_str()),
            site: text(headers, "sec-fetch-site"),
        };
        if !sender.is_own(host, !reads) {
            return Err(forbidden("a page of another site sent this request").of("Origin"));
        }
        check_length(headers)?;
        let access = self.identify(headers, address(request.peer_addr()))?;
        let Need::Scope(needed) = need::of(method, path) else {
            return Ok(access);
        };
        let Some(access) = access else {
            return Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                format!("a token for the scope `{needed}` is needed"),
            )
            .of("Authorization"));
        };
        if access.scope < needed {
            let error = format!(
                "this token is for the scope `{}`, `{needed}` is needed",
                access.scope
            );
            return Err(forbidden(&error).of("Authorization"));
        }
        if *method == Method::POST && text(headers, ACTION_HEADER) != Some("1") {
            return Err(
                forbidden("a request that changes something carries `X-Dormouse-Action: 1`")
                    .of("X-Dormouse-Action"),
            );
        }
        Ok(Some(access))
    }

    fn identify(&self, headers: &HeaderMap, address: IpAddr) -> Result<Option<Access>, Problem> {
        if self.tokens.is_empty() {
            return Ok(Some(Access::local()));
        }
        if let Some(authorization) = headers.get(header::AUTHORIZATION) {
            let token = authorization.as_bytes().strip_prefix(b"Bearer ");
            return self.offered(token.unwrap_or_default(), address).map(Some);
        }
        let session =
            cookie(headers, self.cookie_name()).and_then(|id| self.sessions.find(id, Instant::now()));
        Ok(session.map(|session| Access {
            scope: session.scope,
            who: format!("session of {}", session.token),
        }))
    }

    fn offered(&self, token: &[u8], address: IpAddr) -> Result<Access, Problem> {
        let token = self.find(token, address)?;
        Ok(Access {
            scope: token.scope,
            who: format!("token {}", token.name),
        })
    }

    /// Whose token this is; counts who tried and failed.
    fn find(&self, token: &[u8], address: IpAddr) -> Result<&Token, Problem> {
        let now = Instant::now();
        if let Some(left) = self.attempts.held(address, now) {
            let mut problem = Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too many wrong tokens came from this address",
            );
            problem.retry_after_s = Some(left.as_secs() + 1);
            return Err(problem);
        }
        self.tokens.find(token).ok_or_else(|| {
            self.attempts.failed(address, now);
            tracing::warn!(target: "dormouse::audit", %address, "a wrong token");
            Problem::new(StatusCode::UNAUTHORIZED, "this token is not known").of("Authorization")
        })
    }

    /// Begins a session for who hands in this token. Answers its cookie.
    pub(crate) fn log_in(&self, token: &str, address: IpAddr) -> Result<String, Problem> {
        let token = self.find(token.trim().as_bytes(), address)?;
        if token.scope < Scope::Read {
            let error = "this token is for metrics only";
            return Err(Problem::new(StatusCode::FORBIDDEN, error).of("token"));
        }
        let session = Session {
            scope: token.scope,
            token: token.name.clone(),
        };
        let id = self.sessions.begin(session, Instant::now());
        let id = id.ok_or_else(|| Problem::unavailable("the system has no random bits"))?;
        Ok(self.cookie(&id))
    }

    /// Ends a request's session. Answers a cookie that holds nothing.
    pub(crate) fn log_out(&self, headers: &HeaderMap) -> String {
        if let Some(id) = cookie(headers, self.cookie_name()) {
            self.sessions.end(id);
        }
        self.cookie("") + "; Max-Age=0"
    }

    /// The prefix makes browsers refuse it from a neighbouring host, and without TLS.
    fn cookie_name(&self) -> &'static str {
        if self.secure {
            "__Host-dormouse"
        } else {
            "dormouse"
        }
    }

    fn cookie(&self, id: &str) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!(
            "{}={id}; Path=/; HttpOnly; SameSite=Strict{secure}",
            self.cookie_name()
        )
    }
}

/// Lets the handler answer: within its time, and whatever it does.
async fn answer(
    request: ServiceRequest,
    access: Option<Access>,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Some(access) = access {
        request.extensions_mut().insert(access);
    }
    let path = request.path().to_owned();
    let mut called = pin!(next.call(request));
    let unpanicked =
        poll_fn(
            |context| match catch_unwind(AssertUnwindSafe(|| called.as_mut().poll(context))) {
                Ok(polled) => polled.map(Ok),
                Err(panic) => Poll::Ready(Err(panic)),
            },
        );
    match tokio::time::timeout(ANSWER_TIME, unpanicked).await {
        Ok(Ok(answered)) => Ok(answered?.map_into_boxed_body()),
        Ok(Err(_)) => {
            tracing::error!(path, "a handler of the ops server panicked");
            Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "a bug of Dormouse's: its log has the panic",
            )
            .into())
        }
        Err(_) => {
            let error = format!("it took longer than {} seconds", ANSWER_TIME.as_secs());
            Err(Problem::unavailable(error).into())
        }
    }
}

/// A person who has yet to log in is shown where; everyone else is told.
fn refuse(base: &str, request: ServiceRequest, problem: &Problem) -> ServiceResponse<BoxBody> {
    let accepts = text(request.headers(), header::ACCEPT.as_str()).unwrap_or_default();
    let person = problem.status == StatusCode::UNAUTHORIZED.as_u16()
        && request.method() == Method::GET
        && !request.headers().contains_key(header::AUTHORIZATION)
        && accepts.contains("text/html");
    let response = if person {
        HttpResponse::SeeOther()
            .insert_header((header::LOCATION, format!("{base}{LOGIN}")))
            .finish()
    } else {
        problem.clone().into()
    };
    request.into_response(response)
}

impl From<Problem> for HttpResponse {
    fn from(problem: Problem) -> Self {
        actix_web::ResponseError::error_response(&problem)
    }
}

fn check_length(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        let error = "a body comes with its length here";
        return Err(Problem::new(StatusCode::LENGTH_REQUIRED, error).of("Transfer-Encoding"));
    }
    let length = text(headers, header::CONTENT_LENGTH.as_str()).and_then(|text| text.parse::<u64>().ok());
    let limit = BODY_BYTES_MAX as u64;
    match length {
        Some(length) if length > limit => Err(too_large(length)),
        _ => Ok(()),
    }
}

pub(crate) fn too_large(bytes: u64) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
        .of("body")
        .sizes(bytes, BODY_BYTES_MAX as u64)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = text(headers, header::COOKIE.as_str())?.split(';');
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Of the other end of the connection: a header that names another one is believed from nobody.
pub(crate) fn address(peer: Option<SocketAddr>) -> IpAddr {
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip())
}

/// What the audit log says of one request.
struct Audited {
    what: String,
    address: IpAddr,
}

impl Audited {
    fn of(request: &ServiceRequest) -> Self {
        Self {
            what: request.path().to_owned(),
            address: address(request.peer_addr()),
        }
    }

    fn log(&self, who: &str, status: StatusCode) {
        let Self { what, address } = self;
        let status = status.as_u16();
        tracing::info!(target: "dormouse::audit", who, %address, what, status, "action");
    }
}
