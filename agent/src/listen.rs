//! What arrives unasked: one listener a file, each with its reader and its tests. A new listener is a new file and one
//! line in the list below.
//!
//! ```text
//!  datagram, connection, kernel ─▶ listener: declared fields alone ─▶ ear: a bucket a source ─▶ Event ─▶ keeper
//!                           └─ lost before: unheard ─▶ counted, told each minute ◀─ beyond it ─┘
//! ```
//!
//! A listener runs while the plan says so, on the address the plan says. It keeps no message: what is not a declared
//! field is gone when the datagram is. One that cannot start says so once, and tries again.

pub mod ear;
pub mod frame;
pub mod netlink;
pub mod unheard;

use ear::Ear;
use haidang_daemon::clock::Clock;
use haidang_daemon::stop::{self, Stop, Stopper};
use haidang_probe::credential::Credentials;
use haidang_probe::event::{Event, EventKind};
use haidang_probe::listening::Listening;
use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;

use crate::fault::{At, Resting, at};
use crate::place::Finder;

/// How long a listener that could not start waits, at first and at most: a change of plan may find the address
/// still taken by the one before, and an interface may come up late.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Between two tellings of what was dropped.
const TELL: Duration = Duration::from_secs(60);

macro_rules! listeners {
    ($($file:ident $name:literal;)*) => {
        $(pub mod $file;)*

        /// The listeners that run, each with what it was started by.
        #[derive(Default)]
        pub struct Listeners { $($file: Option<($file::Settings, Stopper)>,)* }

        impl Listeners {
            /// Starts what is said and does not run so yet, and stops what is no longer said.
            pub fn follow(&mut self, said: &Said, tools: &Tools) {
                $(
                    let wanted = $file::Settings::of(said);
                    if self.$file.as_ref().map(|(settings, _)| settings) != wanted.as_ref() {
                        // Dropping a stopper stops: the one before ends first.
                        self.$file = None;
                        self.$file = wanted.map(|settings| {
                            let (own, tools) = (settings.clone(), tools.clone());
                            let ear = Ear::new(tools.clock.clone(), tools.events.clone(), $name);
                            let rest = tools.resting.left(At::Listener($name), tools.clock.steady_ns());
                            let stopper = begin($name, (ear.clone(), rest), move || {
                                $file::run(own.clone(), ear.clone(), tools.clone())
                            });
                            (settings, stopper)
                        });
                    }
                )*
            }
        }
    };
}

listeners! {
    syslog "syslog";
    trap "traps";
    neighbour "neighbours";
    dhcp "dhcp";
}

/// What the plan says of listening.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// What is listened to, and where.
    pub listening: Listening,
    /// The credentials the plan holds.
    pub credentials: Credentials,
}

/// What listeners are made from.
#[derive(Clone)]
pub struct Tools {
    /// Reads time.
    pub clock: Clock,
    /// Knows the default gateway.
    pub finder: Finder,
    /// Where events go.
    pub events: mpsc::Sender<Event>,
    /// The agent's own directory.
    pub directory: PathBuf,
    /// Which of them ended the agent by a fault.
    pub resting: Resting,
}

fn begin<F>(
    name: &'static str,
    (ear, rest): (Ear, Option<Duration>),
    listen: impl FnMut() -> F + Send + 'static,
) -> Stopper
where
    F: Future<Output = io::Result<Infallible>> + Send + 'static,
{
    let (stopper, stop) = stop::pair();
    tokio::spawn(at(At::Listener(name), stand(name, (ear, rest), listen, stop)));
    stopper
}

/// Keeps a listener up until `stop`, once its rest is over, and tells each minute what was dropped.
async fn stand<F>(
    name: &'static str,
    (ear, rest): (Ear, Option<Duration>),
    listen: impl FnMut() -> F,
    stop: Stop,
) where
    F: Future<Output = io::Result<Infallible>>,
{
    if let Some(rest) = rest {
        ear.own(EventKind::ListenerFailed, name);
        tokio::select! {
            () = stop.wait() => return,
            () = tokio::time::sleep(rest) => {}
        }
    }
    tracing::info!(listener = name, "listener starts");
    tokio::select! {
        () = stop.wait() => {}
        () = again_and_again(name, &ear, listen) => {}
        () = tell_each_minute(&ear) => {}
    }
    ear.tell();
    tracing::info!(listener = name, "listener ends");
}

async fn again_and_again<F>(name: &'static str, ear: &Ear, mut listen: impl FnMut() -> F)
where
    F: Future<Output = io::Result<Infallible>>,
{
    let (mut pause, most) = RETRY;
    loop {
        let Err(error) = listen().await;
        if pause == most {
            tracing::debug!(listener = name, %error, "listener does not start");
        } else {
            tracing::warn!(listener = name, %error, "listener does not start; it is tried again");
        }
        if pause == RETRY.0 * 4 {
            ear.own(EventKind::ListenerFailed, name);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 4).min(most);
    }
}

async fn tell_each_minute(ear: &Ear) {
    loop {
        tokio::time::sleep(TELL).await;
        ear.tell();
    }
}
