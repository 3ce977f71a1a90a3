//! The ends whose lines are asked for, and the answers that nobody has taken yet.

use std::{collections::VecDeque, hash::BuildHasher as _};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::Logged;
use crate::{
    correlate::{Case, Ends},
    nginx::{
        error_log::join::{Expectation, Ticket},
        processes::InstanceId,
    },
};

/// An end whose line is waited for.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) ticket: Ticket,
    pub(super) instance: InstanceId,
    pub(super) expectation: Expectation,
}

#[derive(Debug)]
struct Kept {
    ends: Ends,
    hash: u64,
    what: Known,
}

/// What is known of the line of a connection's end.
#[derive(Debug)]
enum Known {
    /// The case, if its time has come before its line.
    Asked(Question, Option<Box<Case>>),
    /// Nobody has asked for the answer yet.
    Answered(Logged),
}

/// What becomes of a case for which a line may be known.
#[derive(Debug)]
pub(super) enum Waiting {
    /// It is kept until the answer comes.
    Held,
    /// It need not wait.
    Over(Case),
}

/// Each end is hashed when it is asked for and when its case comes; its answer finds it by the ticket.
#[derive(Debug, Default)]
pub(super) struct Questions {
    seed: RandomState,
    known: HashTable<u32>,
    kept: Vec<Option<Kept>>,
    free: Vec<u32>,
    /// Where each question is kept, in the order of their tickets; none that was answered, or asked in another way.
    asked: VecDeque<(Ticket, Option<u32>)>,
    /// How many wait for their line.
    waiting: usize,
}

impl Questions {
    /// How many wait for their line.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Answers that nobody has asked for.
    pub(super) fn unclaimed(&self) -> usize {
        self.known.len() - self.waiting
    }

    /// For [`Self::find`] and [`Self::ask`].
    pub(super) fn hash(&self, ends: &Ends) -> u64 {
        self.seed.hash_one(ends)
    }

    fn place(&self, ends: &Ends, hash: u64) -> Option<u32> {
        if self.known.is_empty() {
            return None;
        }
        let same = |place: &u32| self.kept[*place as usize].as_ref().is_some_and(|kept| kept.ends == *ends);
        self.known.find(hash, same).copied()
    }

    /// What is asked about these ends.
    pub(super) fn find(&self, ends: &Ends, hash: u64) -> Option<&Question> {
        match &self.kept[self.place(ends, hash)? as usize].as_ref()?.what {
            Known::Asked(question, _) => Some(question),
            Known::Answered(_) => None,
        }
    }

    /// Asks about these ends, instead of what was asked or known of them before. Tickets come in order.
    pub(super) fn ask(&mut self, ends: Ends, hash: u64, question: Question) {
        let ticket = question.ticket;
        let place = match self.place(&ends, hash) {
            Some(place) => {
                self.ask_anew(place, question);
                place
            }
            None => self.insert(Kept { ends, hash, what: Known::Asked(question, None) }),
        };
        self.asked.push_back((ticket, Some(place)));
    }

    fn ask_anew(&mut self, place: u32, question: Question) {
        let Some(kept) = &mut self.kept[place as usize] else { return };
        if let Known::Asked(asked, _) = &mut kept.what {
            let before = std::mem::replace(asked, question);
            self.of_ticket(before.ticket);
        } else {
            kept.what = Known::Asked(question, None);
            self.waiting += 1;
        }
    }

    fn insert(&mut self, new: Kept) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.kept.push(None);
            u32::try_from(self.kept.len() - 1).expect("there are at most some thousand questions and answers")
        });
        let hash = new.hash;
        self.kept[place as usize] = Some(new);
        let kept = &self.kept;
        self.known.insert_unique(hash, place, |place| kept[*place as usize].as_ref().map_or(0, |kept| kept.hash));
        self.waiting += 1;
        place
    }

    fn remove(&mut self, place: u32) -> Option<Known> {
        let removed = self.kept[place as usize].take()?;
        self.free.push(place);
        if let Ok(known) = self.known.find_entry(removed.hash, |known| *known == place) {
            known.remove();
        }
        Some(removed.what)
    }

    /// Where the question of this ticket is kept; from now on it is of none.
    fn of_ticket(&mut self, ticket: Ticket) -> Option<u32> {
        let index = self.asked.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()?;
        let place = self.asked[index].1.take();
        while self.asked.front().is_some_and(|(_, place)| place.is_none()) {
            self.asked.pop_front();
        }
        place
    }

    /// Answers a question; gives its case, if that waits for the answer, or keeps the answer for it.
    pub(super) fn answer(&mut self, ticket: Ticket, read: impl FnOnce(InstanceId) -> Logged) -> Option<Box<Case>> {
        let place = self.of_ticket(ticket)?;
        let Known::Asked(Question { instance, .. }, held) = &mut self.kept[place as usize].as_mut()?.what else {
            return None;
        };
        let (logged, held) = (read(*instance), held.take());
        self.waiting -= 1;
        if let Some(mut case) = held {
            self.remove(place);
            case.logged = logged;
            return Some(case);
        }
        self.kept[place as usize].as_mut()?.what = Known::Answered(logged);
        None
    }

    /// Gives the case its answer, or keeps it until that comes.
    pub(super) fn complete(&mut self, mut case: Case, ends: &Ends) -> Waiting {
        let Some(place) = self.place(ends, self.hash(ends)) else {
            case.logged = Logged::Unknown;
            return Waiting::Over(case);
        };
        if let Some(Kept { what: Known::Asked(_, held), .. }) = &mut self.kept[place as usize] {
            *held = Some(Box::new(case));
            return Waiting::Held;
        }
        if let Some(Known::Answered(logged)) = self.remove(place) {
            case.logged = logged;
        }
        Waiting::Over(case)
    }

    /// Forgets the answers that nobody has asked for.
    pub(super) fn forget_unclaimed(&mut self) {
        let is_answered =
            |kept: &Option<Kept>| kept.as_ref().is_some_and(|kept| matches!(kept.what, Known::Answered(_)));
        for place in 0..self.kept.len() {
            if is_answered(&self.kept[place]) {
                self.remove(u32::try_from(place).expect("it was counted when it was kept"));
            }
        }
    }

    /// Takes the cases that wait.
    pub(super) fn take_held(&mut self) -> impl Iterator<Item = Box<Case>> + '_ {
        self.kept.iter_mut().flatten().filter_map(|kept| match &mut kept.what {
            Known::Asked(_, held) => held.take(),
            Known::Answered(_) => None,
        })
    }

    /// Gives back the room of those that wait no longer.
    pub(super) fn shrink(&mut self) {
        while self.kept.pop_if(|last| last.is_none()).is_some() {}
        let places = self.kept.len();
        self.free.retain(|place| (*place as usize) < places);
        self.kept.shrink_to_fit();
        self.free.shrink_to_fit();
        self.asked.shrink_to_fit();
        let kept = &self.kept;
        self.known.shrink_to_fit(|place| kept[*place as usize].as_ref().map_or(0, |kept| kept.hash));
    }
}
