//! What a connection of our own server may take: how long it lasts, one request, and a place of its address's.
//!
//! actix-web limits the time that a request's head may take, and nothing after it. An answer that its client does not
//! read, or reads a byte now and then, waits for room in the socket for ever; neither the handler nor the body is polled
//! meanwhile, so only the socket itself can be ended.
//!
//! Without keep-alive actix-web still handles all requests that come before the first one's answer is sent. They are
//! refused here: else one connection could ask for all that many may.

mod addresses;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::net::Shutdown;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::rt;
use actix_web::rt::net::TcpStream;
use actix_web::rt::task::JoinHandle;
use actix_web::{Error, HttpResponse};
use socket2::{SockRef, Socket};

use crate::guard::address;
use crate::problem::Problem;
use addresses::Place;

pub(crate) use addresses::{Addresses, OF_ADDRESS_MAX};

/// What a connection may take from when it was accepted until all of its answer is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    pub(crate) answer: Duration,
    /// One that keeps a page of the console up to date.
    pub(crate) events: Duration,
}

/// Ends its connection when its time is over. Lives in the connection's data, so as long as it does.
struct Connection {
    /// A second descriptor of the connection's: actix-web owns the first.
    socket: Rc<Socket>,
    lifetimes: Lifetimes,
    timer: RefCell<JoinHandle<()>>,
    /// Whether its one request has come.
    asked: Cell<bool>,
    /// None: refused.
    _place: Option<Place>,
}

/// For [`HttpServer::on_connect`](actix_web::HttpServer::on_connect): from here on the connection's time runs.
/// One that its address may not hold ends at once.
pub(crate) fn accepted(
    addresses: &Arc<Addresses>,
    lifetimes: Lifetimes,
    connection: &dyn Any,
    data: &mut Extensions,
) {
    let tls = connection.downcast_ref::<TlsStream<TcpStream>>();
    let stream = match (connection.downcast_ref::<TcpStream>(), tls) {
        (Some(stream), _) => stream,
        (None, Some(tls)) => tls.get_ref().0,
        (None, None) => unreachable!("it listens on TCP only, with TLS or without"),
    };
    let place = addresses.take(address(stream.peer_addr().ok()));
    if place.is_none() {
        tracing::debug!(peer = ?stream.peer_addr(), "its address holds as many connections as it may");
        end(&SockRef::from(stream));
    }
    match SockRef::from(stream).try_clone() {
        Ok(socket) => drop(data.insert(Connection::new(socket.into(), lifetimes, place))),
        // for want of descriptors
        Err(error) => tracing::warn!(%error, "a connection has no limit of its time"),
    }
}

/// Serves a connection's first request only; its client was told with the answer that the connection closes, and has to
/// throw away whatever else comes (RFC 9112, section 9.6).
pub(crate) async fn serve_once<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if let Some(connection) = request.conn_data::<Connection>()
        && connection.asked.replace(true)
    {
        let refusal = Problem::new(StatusCode::BAD_REQUEST, "a connection takes one request");
        return Ok(request.into_response(HttpResponse::from(refusal).map_into_right_body()));
    }
    let answer = next.call(request).await?;
    answered(&answer);
    Ok(answer.map_into_left_body())
}

/// A stream of events, which never ends by itself, may last longer than other answers. One that answers HEAD is over.
fn answered(answer: &ServiceResponse<impl MessageBody>) {
    let kind = answer.headers().get(CONTENT_TYPE);
    if answer.request().method() == Method::GET
        && kind.is_some_and(|kind| kind == "text/event-stream")
        && let Some(connection) = answer.request().conn_data::<Connection>()
    {
        connection.end_in(connection.lifetimes.events);
    }
}

impl Connection {
    fn new(socket: Rc<Socket>, lifetimes: Lifetimes, place: Option<Place>) -> Self {
        Self {
            timer: RefCell::new(end_in(lifetimes.answer, Rc::downgrade(&socket))),
            socket,
            lifetimes,
            // what has come before a refusal can still be read
            asked: Cell::new(place.is_none()),
            _place: place,
        }
    }

    fn end_in(&self, time: Duration) {
        let timer = end_in(time, Rc::downgrade(&self.socket));
        self.timer.replace(timer).abort();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.timer.get_mut().abort();
    }
}

fn end_in(time: Duration, socket: Weak<Socket>) -> JoinHandle<()> {
    rt::spawn(async move {
        rt::time::sleep(time).await;
        if let Some(socket) = socket.upgrade() {
            tracing::debug!(peer = ?socket.peer_addr(), "a connection took too long, and is ended");
            end(&socket);
        }
    })
}

/// Wakes whoever waits for room in it. What its client has not taken by now is thrown away: closed as usual, the kernel
/// would go on offering it.
fn end(socket: &Socket) {
    let ended = socket
        .set_linger(Some(Duration::ZERO))
        .and_then(|()| socket.shutdown(Shutdown::Both));
    if let Err(error) = ended {
        tracing::debug!(%error, "it had ended");
    }
}
