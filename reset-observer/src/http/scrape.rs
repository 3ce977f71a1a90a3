//! Metrics as a body to send, so that no number of scrapes takes much time or memory.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bodies there are at a time: while more clients read slowly, they share the newest one.
const MAX_BODIES: usize = 8;

/// A body is used again for so many times as long as it took to make: at most a tenth of the time goes into it.
const REUSE: u32 = 10;

/// But no longer than this: an engineer who loads the page of metrics twice wants to see them move.
const LONGEST_REUSE: Duration = Duration::from_millis(100);

/// Makes bodies, and uses them again.
pub(super) struct Scrape {
    make: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
    places: Arc<Semaphore>,
    newest: Mutex<Option<Made>>,
}

struct Made {
    body: Bytes,
    fresh_until: Instant,
}

/// The place is free again when the last client has got the last byte.
struct Held {
    bytes: Vec<u8>,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Scrape {
    pub(super) fn new<T: Into<Vec<u8>>>(make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self {
            make: Box::new(move || make().into()),
            places: Arc::new(Semaphore::new(MAX_BODIES)),
            newest: Mutex::new(None),
        }
    }

    /// What there is to send.
    pub(super) fn body(&self) -> Bytes {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*newest
            && made.fresh_until > Instant::now()
        {
            return made.body.clone();
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            // All places are taken, so that one has been made.
            return newest.as_ref().map(|made| made.body.clone()).unwrap_or_default();
        };
        let begun = Instant::now();
        let body = Bytes::from_owner(Held { bytes: (self.make)(), _place: place });
        let fresh_until = Instant::now() + (begun.elapsed() * REUSE).min(LONGEST_REUSE);
        *newest = Some(Made { body: body.clone(), fresh_until });
        body
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread::sleep,
    };

    use super::*;

    fn counting() -> (Arc<AtomicUsize>, Scrape) {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&made);
        let scrape = Scrape::new(move || (counter.fetch_add(1, Ordering::Relaxed) + 1).to_string());
        (made, scrape)
    }

    /// Longer than what takes no time to make is used again.
    fn let_it_age() {
        sleep(Duration::from_millis(20));
    }

    #[test]
    fn a_later_scrape_is_made_anew() {
        let (_, scrape) = counting();
        assert_eq!(scrape.body(), "1");
        let_it_age();
        assert_eq!(scrape.body(), "2");
    }

    #[test]
    fn slow_readers_share_what_there_is_and_free_it_when_they_have_gone() {
        let (made, scrape) = counting();
        let mut readers = Vec::new();
        for _ in 0..MAX_BODIES + 5 {
            readers.push(scrape.body());
            let_it_age();
        }
        assert_eq!(made.load(Ordering::Relaxed), MAX_BODIES);
        assert_eq!(readers[MAX_BODIES + 4], MAX_BODIES.to_string());
        readers.clear();
        assert_eq!(scrape.body(), (MAX_BODIES + 1).to_string());
    }

    #[test]
    fn a_flood_of_scrapes_spends_little_time_on_making_them() {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&made);
        let scrape = Scrape::new(move || {
            sleep(Duration::from_millis(10));
            counter.fetch_add(1, Ordering::Relaxed).to_string()
        });
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(400) {
            drop(scrape.body());
        }
        // Each takes 10 ms and lasts for 100.
        assert!(made.load(Ordering::Relaxed) <= 5, "{made:?}");
    }
}
