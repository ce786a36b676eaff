//! The console of whichever process is alive: of the worker, of the one that follows it when it was killed, and of the
//! finished store if that is asked for.

use anyhow::Result;
use dormouse::ops::{Ops, StartError};
use dormouse::{Dormouse, Store};

use crate::aircraft::Aircraft;
use crate::flight::Flight;

/// Where it is, unless something else is there.
pub(crate) const PORT: u16 = 7070;

/// Starts it on `port`, or where that is taken on any that is free. The demonstration goes on without one.
pub(crate) fn start(port: u16) -> Option<Ops> {
    let at = |port| Ops::builder().bind(format!("127.0.0.1:{port}")).start();
    let started = match at(port) {
        Err(StartError::Bind { .. }) => at(0),
        other => other,
    };
    started
        .inspect_err(|error| eprintln!("there is no console: {error}"))
        .ok()
}

/// The port in its address.
pub(crate) fn port(ops: &Ops) -> Option<u16> {
    let url = ops.url();
    let (_, port) = url.trim_end_matches('/').rsplit_once(':')?;
    port.parse().ok()
}

/// The line that tells where it is; `wanted` is where it was to be.
pub(crate) fn line(port: u16, wanted: u16) -> String {
    let taken = match port == wanted {
        true => String::new(),
        false => format!("   (port {wanted} is taken)"),
    };
    format!("console: http://127.0.0.1:{port}/{taken}")
}

/// The finished store with its console, until it is told to end.
pub(crate) struct Finished {
    executor: tokio::runtime::Runtime,
    runtime: Dormouse,
    ops: Ops,
}

impl Finished {
    /// None where no port can be had.
    pub(crate) fn open(store: &Store, port: u16) -> Result<Option<Self>> {
        let Some(ops) = start(port) else {
            return Ok(None);
        };
        let executor = tokio::runtime::Runtime::new()?;
        let runtime = Dormouse::builder(store.clone())
            .aggregate::<Flight>()
            .aggregate::<Aircraft>();
        let runtime = executor.block_on(runtime.start())?;
        ops.attach(&runtime);
        Ok(Some(Self {
            executor,
            runtime,
            ops,
        }))
    }

    /// Returns after Ctrl-C.
    pub(crate) fn stay(self) -> Result<()> {
        println!("\nconsole: {}   (until Ctrl-C)", self.ops.url());
        self.executor.block_on(async {
            tokio::signal::ctrl_c().await?;
            self.ops.stop().await;
            Ok(self.runtime.shutdown().await?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_not_waited_for() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let wanted = taken.local_addr().unwrap().port();
        let ops = start(wanted).unwrap();
        let port = port(&ops).unwrap();
        assert_ne!(port, wanted);
        assert!(line(port, wanted).ends_with("is taken)"));
        assert_eq!(line(7070, 7070), "console: http://127.0.0.1:7070/");
    }
}
