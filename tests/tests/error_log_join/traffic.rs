//! Requests that fail as their paths ask, each with a path of its own.

use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::place::Place;

/// Between two requests that each are to be told from all others.
const APART: Duration = Duration::from_millis(20);

/// Between two requests that only the kernel's times tell apart.
const CLOSE: Duration = Duration::from_millis(10);

/// Clients at once in a burst.
const CROWD: usize = 64;

/// A request, and what its client got.
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
    /// A whole answer of status 200.
    pub(crate) served: bool,
}

/// The ways to fail, the harmless one among them.
const WAYS: [(&str, &str); 9] = [
    ("GET", "linger0"),
    ("GET", "close"),
    ("GET", "cut"),
    ("POST", "linger0"),
    ("GET", "ok"),
    ("GET", "cut-reset"),
    ("POST", "close"),
    ("GET", "close"),
    ("POST", "cut"),
];

fn ask(place: &Place, number: usize, apart: bool) -> Result<Asked> {
    let (method, way) = WAYS[number % WAYS.len()];
    let path = format!("/{way}/{number}");
    let mut client = place.client(apart)?;
    let sent = Instant::now();
    client.send(method, &path, if method == "POST" { "x" } else { "" })?;
    let response = client.receive()?;
    let served = response.status == 200 && response.complete;
    Ok(Asked { method, path, sent, answered: Instant::now(), served })
}

/// So long after one another that most failures are like no other one near them: from many servers.
pub(crate) fn apart(place: &Place, numbers: Range<usize>) -> Result<Vec<Asked>> {
    paced(place, numbers, APART, true)
}

/// So close together that the log alone, with its whole seconds, could not tell one failure from the other: from few
/// servers.
pub(crate) fn close(place: &Place, numbers: Range<usize>) -> Result<Vec<Asked>> {
    paced(place, numbers, CLOSE, false)
}

/// One after another, the next one so long after the answer to the one before.
fn paced(place: &Place, numbers: Range<usize>, pause: Duration, apart: bool) -> Result<Vec<Asked>> {
    let asked = numbers.map(|number| {
        let asked = ask(place, number, apart);
        thread::sleep(pause);
        asked
    });
    asked.collect()
}

/// As fast as a crowd of clients gets them answered.
pub(crate) fn burst(place: &Place, numbers: Range<usize>) -> Result<Vec<Asked>> {
    thread::scope(|scope| {
        let (first, end) = (numbers.start, numbers.end);
        let share = move |client| (first + client..end).step_by(CROWD);
        let client = |client| scope.spawn(move || share(client).map(|number| ask(place, number, false)).collect());
        let crowd: Vec<_> = (0..CROWD).map(client).collect();
        let asked: Result<Vec<Vec<Asked>>> = crowd.into_iter().map(|client| client.join().expect("no panic")).collect();
        Ok(asked?.into_iter().flatten().collect())
    })
}
