//! The wish to end, as a future everybody can wait for.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let stop = haidang_daemon::stop::on_signals()?;
//! tokio::spawn({ let stop = stop.clone(); async move { stop.wait().await } });
//! stop.wait().await; // SIGINT or SIGTERM
//! # Ok(()) }
//! ```

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Waits for the end; cheap to clone. Once stopped it stays stopped.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// Gives the word. Dropping the last one also stops: nobody is left who could.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<bool>);

/// A pair for tests and for parts that end before the program does.
pub fn pair() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

/// Stops at the first SIGINT or SIGTERM; a second one ends the process at once, with status 130, for when the
/// orderly end does not come.
///
/// # Errors
/// When the signals cannot be taken over. Must be called inside a tokio runtime.
pub fn on_signals() -> std::io::Result<Stop> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (stopper, stop) = pair();
    tokio::spawn(async move {
        let name = tokio::select! { _ = interrupt.recv() => "SIGINT", _ = terminate.recv() => "SIGTERM" };
        tracing::info!(signal = name, "stopping");
        stopper.stop();
        tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => () }
        tracing::warn!("second signal: ending at once");
        std::process::exit(130);
    });
    Ok(stop)
}

impl Stop {
    /// Returns when the end is wished for, at once when it already is. Cancel safe.
    pub async fn wait(&self) {
        // An error means that every stopper is gone, which is a stop as well.
        let _ = self.0.clone().wait_for(|&stopped| stopped).await;
    }

    /// Whether the end is already wished for.
    pub fn stopped(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

impl Stopper {
    /// Wishes for the end, now and for good.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_hears_it_and_it_stays() {
        let (stopper, stop) = pair();
        assert!(!stop.stopped());
        let early = tokio::spawn({
            let stop = stop.clone();
            async move { stop.wait().await }
        });
        stopper.stop();
        assert!(early.await.is_ok());
        stop.wait().await;
        assert!(stop.clone().stopped());
    }

    #[tokio::test]
    async fn a_lost_stopper_stops() {
        let (stopper, stop) = pair();
        drop(stopper);
        stop.wait().await;
        assert!(stop.stopped());
    }

    #[tokio::test]
    async fn sigterm_stops() {
        let stop = on_signals().unwrap();
        let me = std::process::id().to_string();
        std::process::Command::new("sh").args(["-c", "kill -TERM $0", &me]).status().unwrap();
        stop.wait().await;
    }
}
