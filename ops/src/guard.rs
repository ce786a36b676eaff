//! What every request passes before a handler sees it, and every answer before it leaves.

mod answer;
mod attempts;
mod audit;
mod check;
mod cookie;
mod head;
pub(crate) mod headers;
mod need;
mod origin;
mod sessions;
#[cfg(test)]
mod tests;
mod token;
mod unread;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};

use crate::problem::Problem;
use crate::scope::Scope;
use attempts::Attempts;
use audit::Audited;
use head::Unsent;
use sessions::{Session, Sessions};
use unread::Unread;

pub(crate) use answer::ANSWER_TIME;
pub(crate) use attempts::{FAILURES_MAX, network};
pub(crate) use check::wants_page;
pub(crate) use cookie::SessionCookie;
pub(crate) use need::{LOGIN, LOGOUT};
pub(crate) use origin::Hosts;
pub(crate) use sessions::SessionId;
pub use token::TokenError;
pub(crate) use token::{Token, TokenSource, Tokens};

/// What a request may carry in its body.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What it is asked with and what it remembers of who asked.
pub(crate) struct Guard {
    hosts: Hosts,
    tokens: Tokens,
    /// Whether browsers reach it by TLS only: then its cookie never leaves without.
    secure: bool,
    attempts: Attempts,
    sessions: Sessions,
}

/// Where a person who has yet to log in is led, below this base path.
pub(crate) type ToLogin = fn(&str, &ServiceRequest) -> String;

/// Who asks, and what they may do: in the extensions of each request that needs a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) scope: Scope,
    /// For the audit log.
    pub(crate) who: String,
    /// If it is a session that allows it.
    pub(crate) session: Option<SessionId>,
}

impl Access {
    /// No tokens are configured: whoever reaches the port may do everything.
    fn local() -> Self {
        Self {
            scope: Scope::Act,
            who: "local process".into(),
            session: None,
        }
    }

    fn of(token: &Token) -> Self {
        Self {
            scope: token.scope,
            who: format!("token {}", token.name),
            session: None,
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
        to_login: ToLogin,
        mut request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let unread = request
            .headers()
            .contains_key(header::TRANSFER_ENCODING)
            .then(|| request.take_payload());
        let asks_for_head = request.method() == Method::HEAD;
        let mut audited = (request.method() == Method::POST).then(|| Audited::of(&request));
        let access = check::sender(&self.hosts, &request).and_then(|host| {
            let cookie = SessionCookie::of(self.secure, base, host);
            let access = self.identify(request.headers(), &cookie, address(request.peer_addr()));
            request.extensions_mut().insert(cookie);
            access
        });
        if let (Some(audited), Ok(Some(access))) = (&mut audited, &access) {
            audited.who.clone_from(&access.who);
        }
        let checked = access.and_then(|access| {
            check::scope(access.as_ref(), &request)?;
            Ok(access)
        });
        let answered = match checked {
            Ok(access) => answer::of(request, access, next).await,
            Err(problem) => Ok(answer::refusal(base, to_login, request, &problem)),
        };
        if let Some(audited) = &mut audited {
            audited.answered(&answered);
        }
        let mut answered = answered?;
        if asks_for_head {
            answered = answered.map_body(|_, answer| Unsent::of(&answer).boxed());
        }
        if let Some(unread) = unread {
            answered = answered.map_body(|_, answer| Unread::new(answer, unread).boxed());
        }
        headers::secure(answered.headers_mut());
        Ok(answered)
    }

    fn identify(
        &self,
        headers: &HeaderMap,
        cookie: &SessionCookie,
        address: IpAddr,
    ) -> Result<Option<Access>, Problem> {
        if self.tokens.is_empty() {
            return Ok(Some(Access::local()));
        }
        if let Some(authorization) = headers.get(header::AUTHORIZATION) {
            let token = bearer(authorization.as_bytes()).unwrap_or_default();
            return self.offered(token, address).map(Some);
        }
        let access = cookie.sessions(headers).find_map(|id| {
            let session = self.sessions.find(&id, Instant::now())?;
            Some(Access {
                scope: session.scope,
                who: format!("session of {}", session.token),
                session: Some(id),
            })
        });
        Ok(access)
    }

    /// Whether a session goes on: an answer that lasts ends with it.
    pub(crate) fn lasts(&self, session: &SessionId) -> bool {
        self.sessions.find(session, Instant::now()).is_some()
    }

    fn offered(&self, token: &[u8], address: IpAddr) -> Result<Access, Problem> {
        self.find(token, address).map(Access::of)
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

    /// Begins a session for who hands in this token. Answers who that is, and the session's cookie.
    pub(crate) fn log_in(
        &self,
        token: &str,
        address: IpAddr,
        cookie: &SessionCookie,
    ) -> Result<(Access, String), Problem> {
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
        Ok((Access::of(token), cookie.with(id.as_str())))
    }

    /// Ends a request's session. Answers a cookie that holds nothing.
    pub(crate) fn log_out(&self, headers: &HeaderMap, cookie: &SessionCookie) -> String {
        for id in cookie.sessions(headers) {
            self.sessions.end(&id);
        }
        cookie.ended()
    }
}

/// What follows the scheme `Bearer`, whose case does not matter (RFC 9110, section 11.1).
fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let space = authorization.iter().position(|byte| *byte == b' ')?;
    let (scheme, token) = authorization.split_at(space);
    scheme
        .eq_ignore_ascii_case(b"Bearer")
        .then(|| token.trim_ascii_start())
}

/// Of the other end of the connection: a header that names another one is believed from nobody.
pub(crate) fn address(peer: Option<SocketAddr>) -> IpAddr {
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip())
}
