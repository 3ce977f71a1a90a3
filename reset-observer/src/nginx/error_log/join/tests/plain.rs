//! What is kept between two looks leads to the same answers as looking at everything anew each time.

use super::{
    super::{
        Expectation, Joined, Ticket,
        bucket::Bucket,
        expectation::Endings,
        held::{Expected, Held},
        pair::Pairs,
    },
    storm::Dice,
    *,
};

const MESSAGES: [&str; 5] = [
    RESET,
    CLOSED,
    REFUSED,
    "upstream prematurely closed connection while reading upstream",
    "upstream timed out (110: Connection timed out) while reading response header from upstream",
];

fn held(message: usize, written: Written, serial: u64) -> Held {
    let line = Box::new(line(MESSAGES[message], &format!("/{}", serial % 3)));
    Held { endings: Endings::of(&line), perhaps: Endings::perhaps_of(&line), written, serial, line }
}

fn expected(ticket: u64, expectation: Expectation) -> Expected {
    let due = expectation.at.after(Windows::default().patience);
    Expected::new(Ticket(ticket), expectation, due)
}

/// Looks at everything anew each time.
#[derive(Default)]
struct Plain {
    ends: Vec<Expected>,
    lines: Vec<Held>,
}

/// For each line the end that is its own, and the ends that may as well have none.
struct Paired {
    end_of: Vec<Option<usize>>,
    uncovered: Vec<bool>,
}

impl Plain {
    fn ends_of(&self, line: &Held) -> Vec<usize> {
        let meets = |endings: Endings| {
            let may_be_own = move |end: &Expectation| {
                endings.meets(Endings::only(end.ending))
                    && line.written.earliest <= end.last_line(Windows::default().reach)
                    && line.written.latest >= end.first_line()
            };
            let places = self.ends.iter().enumerate().filter(move |(_, end)| may_be_own(&end.expectation));
            places.map(|(place, _)| place).collect::<Vec<_>>()
        };
        Some(meets(line.endings)).filter(|ends| !ends.is_empty()).unwrap_or_else(|| meets(line.perhaps))
    }

    fn answer(&mut self, now: KernelTime) -> Vec<(Ticket, Answer)> {
        let windows = Windows::default();
        let is_due = |end: &Expected| !end.answered && end.due <= now;
        if !self.ends.iter().any(is_due) {
            return Vec::new();
        }
        let (mature, fresh): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.lines).into_iter().partition(|held| held.mature_at(windows) <= now);
        let ends_of: Vec<_> = mature.iter().map(|held| self.ends_of(held)).collect();
        let paired = paired(&ends_of, self.ends.len());
        let mut answers = Vec::new();
        let mut owned = vec![None; self.ends.len()];
        paired.end_of.iter().enumerate().for_each(|(line, end)| {
            end.iter().for_each(|end| owned[*end] = Some(line));
        });
        for (place, end) in self.ends.iter_mut().enumerate().filter(|(_, end)| is_due(end)) {
            let its = |line: &usize| ends_of[*line].contains(&place) && paired.end_of[*line].is_none();
            let own = owned[place].map(|line| vec![line]);
            let among = own.unwrap_or_else(|| (0..mature.len()).filter(its).collect());
            let among: Vec<_> = among.iter().map(|line| (&*mature[*line].line, mature[*line].serial)).collect();
            if among.is_empty() && end.put_off(&fresh, windows) {
                continue;
            }
            end.answered = true;
            let ambiguous = owned[place].is_none() && paired.uncovered[place] && !among.is_empty();
            let answer = Joined::of(&among).map_or(Answer::NoLine, |joined| Answer::Joined(Box::new(joined)));
            answers.push((end.ticket, if ambiguous { Answer::Ambiguous } else { answer }));
        }
        let is_over = |place: usize| owned[place].is_some() && self.ends[place].due <= now;
        let over: Vec<_> = (0..self.ends.len()).map(is_over).collect();
        let left = mature.into_iter().zip(paired.end_of).filter(|(_, end)| end.is_none_or(|end| !over[end]));
        self.lines = left.map(|(held, _)| held).chain(fresh).collect();
        let mut over = over.into_iter();
        self.ends.retain(|_| !over.next().unwrap());
        answers
    }

    fn forget(&mut self, now: KernelTime) {
        let windows = Windows::default();
        let oldest = now.before(windows.patience).before(windows.reach * 2);
        self.ends.retain(|end| !end.answered || end.expectation.at >= oldest);
        self.lines.retain(|held| held.written.latest >= oldest);
    }
}

fn paired(ends_of: &[Vec<usize>], ends: usize) -> Paired {
    let mut end_of: Vec<Option<usize>> = vec![None; ends_of.len()];
    let mut line_of: Vec<Option<usize>> = vec![None; ends];
    loop {
        let only =
            |line: &usize| match ends_of[*line].iter().filter(|end| line_of[**end].is_none()).collect::<Vec<_>>()[..] {
                [end] if end_of[*line].is_none() => Some((*line, *end)),
                _ => None,
            };
        let Some((line, end)) = (0..ends_of.len()).find_map(|line| only(&line)) else { break };
        (end_of[line], line_of[end]) = (Some(end), Some(line));
    }
    let forced = end_of.clone();
    for line in 0..ends_of.len() {
        if end_of[line].is_none() {
            augment(line, ends_of, &mut line_of, &mut vec![false; ends]);
            line_of.iter().enumerate().for_each(|(end, line)| line.iter().for_each(|line| end_of[*line] = Some(end)));
        }
    }
    let (mut moved, mut uncovered) = (vec![false; ends], line_of.iter().map(Option::is_none).collect::<Vec<_>>());
    for _ in 0..=ends {
        for (line, its) in ends_of.iter().enumerate() {
            if end_of[line].is_none_or(|end| moved[end]) {
                its.iter().for_each(|end| moved[*end] = true);
            }
            if its.iter().any(|end| uncovered[*end]) {
                end_of[line].iter().for_each(|end| uncovered[*end] = true);
            }
        }
    }
    let end_of = forced.iter().map(|end| end.filter(|end| !moved[*end] && !uncovered[*end])).collect();
    Paired { end_of, uncovered }
}

fn augment(line: usize, ends_of: &[Vec<usize>], line_of: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    for end in &ends_of[line] {
        if std::mem::replace(&mut seen[*end], true) {
            continue;
        }
        if line_of[*end].is_none_or(|other| augment(other, ends_of, line_of, seen)) {
            line_of[*end] = Some(line);
            return true;
        }
    }
    false
}

/// Lets both answer; gives how many answers told of a line.
fn look(bucket: &mut Bucket, plain: &mut Plain, pairs: &mut Pairs, now: u64) -> usize {
    let (mut answers, mut expected) = (Vec::new(), plain.answer(ms(now)));
    bucket.answer(ms(now), Windows::default(), pairs, &mut answers);
    bucket.forget(ms(now), Windows::default(), |_| ());
    plain.forget(ms(now));
    answers.sort_by_key(|(ticket, _)| *ticket);
    expected.sort_by_key(|(ticket, _)| *ticket);
    let told = answers.iter().filter(|(_, answer)| matches!(answer, Answer::Joined(_))).count();
    assert_eq!(answers, expected, "at {now} ms");
    assert_eq!((bucket.expected(), bucket.lines()), (plain.ends.len(), plain.lines.len()), "at {now} ms");
    let due = plain.ends.iter().filter(|end| !end.answered).map(|end| end.due).min();
    assert_eq!(bucket.next_due(), due, "at {now} ms");
    told
}

/// Ends and lines of many kinds, in a dice's order; gives how many answers told of a line.
fn compare(mut dice: Dice, steps: u64, step_ms: u64) -> usize {
    let (mut bucket, mut plain, mut pairs) = (Bucket::default(), Plain::default(), Pairs::default());
    let (mut now, mut told, mut messages, mut endings) = (5000, 0, 5, 9);
    for serial in 0..steps {
        now += dice.below(step_ms);
        if dice.below(200) == 0 {
            now += dice.below(4000);
            (messages, endings) = (dice.below(5) + 1, dice.below(9) + 1);
        }
        if dice.below(2) == 0 {
            let at = now - dice.below(3) * dice.below(70);
            let ending = Ending::ALL[usize::try_from(dice.below(endings)).unwrap()];
            let since = ms(at - dice.below(2) * dice.below(300));
            let expectation = Expectation { since, ..end(ending, at) };
            bucket.expect(expected(serial, expectation), Windows::default());
            plain.ends.push(expected(serial, expectation));
        } else {
            let message = usize::try_from(dice.below(messages)).unwrap();
            let latest = now - dice.below(2) * dice.below(100);
            let late = if dice.below(40) == 0 { 3000 } else { 20 };
            let written = Written { earliest: ms(latest - dice.below(late)), latest: ms(latest) };
            bucket.line(held(message, written, serial));
            plain.lines.push(held(message, written, serial));
        }
        if dice.below(60) == 0 {
            let ticket = Ticket(serial - dice.below(serial.min(20) + 1));
            let before = plain.ends.len();
            plain.ends.retain(|end| end.answered || end.ticket != ticket);
            assert_eq!(bucket.withdraw(ticket), plain.ends.len() < before);
        }
        told += look(&mut bucket, &mut plain, &mut pairs, now);
    }
    told
}

#[test]
fn whatever_is_kept_the_answers_are_those_of_looking_at_everything_anew() {
    let told =
        [(1, 40), (2, 40), (3, 150), (4, 1000), (5, 12)].map(|(seed, step_ms)| compare(Dice(seed), 2000, step_ms));
    assert!(told.iter().sum::<usize>() > 500, "{told:?}");
}
