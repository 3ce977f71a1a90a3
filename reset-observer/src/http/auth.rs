//! Basic authentication with bcrypt, in a way that wrong passwords cannot be used to keep the processor busy.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{hmac, rand::SecureRandom};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::sleep,
};

/// Names and bcrypt hashes.
pub(super) type Users = BTreeMap<String, String>;

/// How many passwords that were right are remembered, as a keyed hash.
const MAX_REMEMBERED: usize = 64;

/// How many requests wait for their password to be checked; one is checked at a time.
const MAX_WAITING: usize = 16;

/// After a wrong password, none is checked for so many times as long as that took: at most a quarter of one core goes
/// into wrong passwords, whatever the cost of the hashes.
const REST: u32 = 3;

/// Whether a request may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It may.
    Granted,
    /// No password, or a wrong one.
    Denied,
    /// Too many passwords are being checked.
    Busy,
}

/// Checks passwords.
pub(super) struct Authenticator {
    key: Option<hmac::Key>,
    remembered: Mutex<VecDeque<[u8; 32]>>,
    turn: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Authenticator {
    /// Without random numbers, every password is checked anew.
    pub(super) fn new(random: &dyn SecureRandom) -> Self {
        Self {
            key: hmac::Key::generate(hmac::HMAC_SHA256, random).ok(),
            remembered: Mutex::new(VecDeque::new()),
            turn: Arc::new(Semaphore::new(1)),
            waiting: Semaphore::new(MAX_WAITING),
        }
    }

    /// Whether a request with these headers may go on. Without users, all may.
    pub(super) async fn check(&self, users: &Users, headers: &HeaderMap) -> Outcome {
        if users.is_empty() {
            return Outcome::Granted;
        }
        let Some((name, password)) = credentials(headers) else { return Outcome::Denied };
        let tag = users.get(&name).and_then(|hash| self.tag(&name, hash, &password));
        if tag.is_some_and(|tag| self.remembers(&tag)) {
            return Outcome::Granted;
        }
        let Ok(_place) = self.waiting.try_acquire() else { return Outcome::Busy };
        let Ok(turn) = Arc::clone(&self.turn).acquire_owned().await else { return Outcome::Busy };
        // A scraper's requests that waited together are answered by the first one's check.
        if tag.is_some_and(|tag| self.remembers(&tag)) {
            return Outcome::Granted;
        }
        let granted = verify(users, &name, password, turn).await;
        if let Some(tag) = tag.filter(|_| granted) {
            self.remember(tag);
        }
        if granted { Outcome::Granted } else { Outcome::Denied }
    }

    /// Stands for a name and a password that go with a hash: another hash in the file, and it is unknown.
    fn tag(&self, name: &str, hash: &str, password: &[u8]) -> Option<[u8; 32]> {
        let mut context = hmac::Context::with_key(self.key.as_ref()?);
        for part in [name.as_bytes(), hash.as_bytes(), password] {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        context.sign().as_ref().try_into().ok()
    }

    fn remembers(&self, tag: &[u8; 32]) -> bool {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).contains(tag)
    }

    fn remember(&self, tag: [u8; 32]) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.pop_front();
        }
        remembered.push_back(tag);
    }
}

fn credentials(headers: &HeaderMap) -> Option<(String, Vec<u8>)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some((String::from_utf8(decoded[..colon].to_vec()).ok()?, decoded[colon + 1..].to_vec()))
}

/// An unknown name takes as long as a known one: the first user's hash is computed for it.
async fn verify(users: &Users, name: &str, password: Vec<u8>, turn: OwnedSemaphorePermit) -> bool {
    let known = users.get(name);
    let Some(hash) = known.or_else(|| users.values().next()).cloned() else { return false };
    let begun = Instant::now();
    let right = spawn_blocking(move || bcrypt::verify(password, &hash).unwrap_or(false)).await.unwrap_or(false);
    let granted = right && known.is_some();
    if !granted {
        tokio::spawn(rest(begun.elapsed() * REST, turn));
    }
    granted
}

async fn rest(time: Duration, turn: OwnedSemaphorePermit) {
    sleep(time).await;
    drop(turn);
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    fn users() -> Users {
        let hash = |password| bcrypt::hash(password, 4).unwrap();
        BTreeMap::from([("alice".to_owned(), hash("secret")), ("bob".to_owned(), hash("other"))])
    }

    fn basic(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Basic {}", STANDARD.encode(text)).parse().unwrap());
        headers
    }

    #[tokio::test]
    async fn only_the_right_password_of_the_right_user_opens() {
        let (authenticator, users) = (Authenticator::new(&SystemRandom::new()), users());
        for (text, outcome) in [
            ("alice:secret", Outcome::Granted),
            ("bob:other", Outcome::Granted),
            ("alice:other", Outcome::Denied),
            ("bob:secret", Outcome::Denied),
            ("carol:secret", Outcome::Denied),
            ("alice:", Outcome::Denied),
            ("alice", Outcome::Denied),
            ("alice:secret", Outcome::Granted),
        ] {
            assert_eq!(authenticator.check(&users, &basic(text)).await, outcome, "{text}");
        }
        assert_eq!(authenticator.check(&users, &HeaderMap::new()).await, Outcome::Denied);
        assert_eq!(authenticator.check(&Users::new(), &HeaderMap::new()).await, Outcome::Granted);
    }

    #[tokio::test]
    async fn what_is_no_basic_authentication_is_denied() {
        let authenticator = Authenticator::new(&SystemRandom::new());
        for value in ["Bearer abc", "Basic", "Basic !!!", "Basic YWxpY2U="] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            assert_eq!(authenticator.check(&users(), &headers).await, Outcome::Denied, "{value}");
        }
    }

    #[tokio::test]
    async fn a_password_that_was_right_is_wrong_once_the_hash_is_another() {
        let (authenticator, mut users) = (Authenticator::new(&SystemRandom::new()), users());
        assert_eq!(authenticator.check(&users, &basic("alice:secret")).await, Outcome::Granted);
        users.insert("alice".to_owned(), bcrypt::hash("new", 4).unwrap());
        assert_eq!(authenticator.check(&users, &basic("alice:secret")).await, Outcome::Denied);
    }

    #[tokio::test]
    async fn a_flood_of_wrong_passwords_is_turned_away_and_does_not_touch_a_known_right_one() {
        let (authenticator, users) = (Arc::new(Authenticator::new(&SystemRandom::new())), Arc::new(users()));
        assert_eq!(authenticator.check(&users, &basic("alice:secret")).await, Outcome::Granted);
        let guesses: Vec<_> = (0..100)
            .map(|guess| {
                let (authenticator, users) = (Arc::clone(&authenticator), Arc::clone(&users));
                tokio::spawn(async move { authenticator.check(&users, &basic(&format!("alice:{guess}"))).await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(authenticator.check(&users, &basic("alice:secret")).await, Outcome::Granted);
        let mut busy = 0;
        for guess in guesses {
            let outcome = guess.await.unwrap();
            assert_ne!(outcome, Outcome::Granted);
            busy += usize::from(outcome == Outcome::Busy);
        }
        assert!(busy >= 50, "{busy}");
    }
}
