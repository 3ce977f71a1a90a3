//! What a service manager is told, where one asked for it by `NOTIFY_SOCKET` and `WATCHDOG_USEC` (sd_notify(3)).

use std::{convert::Infallible, future::pending};

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

/// The programs are attached, and what this process gave up is given up.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// It ends by itself from here on.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Tells twice in each period that the event loop turns, for as long as it is let. One that hangs is ended by the manager.
pub(super) async fn keep_alive() -> Infallible {
    let Some(period) = sd_notify::watchdog_enabled() else { return pending().await };
    let mut tick = interval(period / 2);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::warn!("the service manager cannot be told how we are: {error}");
    }
}
