//! Who takes the spans, and in what the commands are sent.

use anyhow::Result;
use dormouse::Builder;
use dormouse::ops::otel::{Propagation, Sending, Traces};
use micro::{Go, deposits_64};
use tracing::{Level, Span, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    Nobody,
    FromInfo,
    Formatted,
    Sampled,
    Unsampled,
    UnsampledAround,
}

impl Setting {
    pub(crate) const ALL: [Self; 6] = [
        Self::Nobody,
        Self::FromInfo,
        Self::Formatted,
        Self::Sampled,
        Self::Unsampled,
        Self::UnsampledAround,
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.name() == name)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::FromInfo => "from-info",
            Self::Formatted => "formatted",
            Self::Sampled => "sampled",
            Self::Unsampled => "unsampled",
            Self::UnsampledAround => "unsampled-around",
        }
    }

    pub(crate) const fn says(self) -> &'static str {
        match self {
            Self::Nobody => "without a subscriber",
            Self::FromInfo => "log lines from INFO on",
            Self::Formatted => "all spans, to a formatter of lines",
            Self::Sampled => "to a collector, all sampled",
            Self::Unsampled => "to a collector, none sampled",
            Self::UnsampledAround => "to a collector, in a span that is not sampled",
        }
    }

    /// Installs the subscriber; deposits in memory, 64 at a time.
    pub(crate) fn ready(self, collector: &str) -> Result<Go> {
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
        let traced = |builder: Builder| builder.traces(Propagation);
        Ok(match self {
            Self::Nobody => deposits_64(|builder| builder),
            Self::FromInfo => {
                install(tracing_subscriber::registry().with(lines.with_filter(LevelFilter::INFO)))?;
                deposits_64(|builder| builder)
            }
            Self::Formatted => {
                let commands = Targets::new().with_target("dormouse::command", Level::DEBUG);
                install(tracing_subscriber::registry().with(lines.with_filter(commands)))?;
                deposits_64(|builder| builder)
            }
            Self::Sampled => {
                send(1.0, collector)?;
                deposits_64(traced)
            }
            Self::Unsampled => {
                send(0.0, collector)?;
                deposits_64(traced)
            }
            Self::UnsampledAround => {
                send(0.0, collector)?;
                within(tracing::info_span!("request"), deposits_64(traced))
            }
        })
    }
}

fn send(share: f64, collector: &str) -> Result<()> {
    let sending: Sending = Traces::of("bank").sampled(share).to(collector).start()?;
    install(tracing_subscriber::registry().with(sending.layer()))?;
    // it goes on sending until the process ends
    std::mem::forget(sending);
    Ok(())
}

fn install(subscriber: impl Subscriber + Send + Sync) -> Result<()> {
    Ok(tracing::subscriber::set_global_default(subscriber)?)
}

fn within(span: Span, mut go: Go) -> Go {
    Box::new(move |times| span.in_scope(|| go(times)))
}
