//! Parts of a sentence, put together in one piece of memory: a verdict's advice has some ten of them.

use std::time::Duration;

use crate::nginx::config::directive::Place;

/// As long as most advice is.
pub(super) const USUAL_LEN: usize = 512;

/// What can be said.
pub(super) trait Part {
    /// Appends it.
    fn say(&self, to: &mut String);
}

/// Appends parts to a text, one after the other.
macro_rules! say {
    ($to:expr, $($part:expr),+ $(,)?) => {{
        let to: &mut String = $to;
        $( $crate::advise::part::Part::say(&$part, to); )+
    }};
}

pub(super) use say;

/// A time as nginx reads it: milliseconds below ten seconds, else seconds.
pub(super) struct Directive(pub(super) Duration);

impl Part for Directive {
    fn say(&self, to: &mut String) {
        let ms = self.0.as_millis();
        match u64::try_from(ms) {
            Ok(ms @ ..10_000) if !ms.is_multiple_of(1000) => say!(to, ms, "ms"),
            Ok(_) | Err(_) => say!(to, self.0.as_secs(), "s"),
        }
    }
}

impl Part for &str {
    fn say(&self, to: &mut String) {
        to.push_str(self);
    }
}

impl Part for String {
    fn say(&self, to: &mut String) {
        to.push_str(self);
    }
}

impl Part for u64 {
    fn say(&self, to: &mut String) {
        let (mut digits, mut rest, mut at) = ([0; "18446744073709551615".len()], *self, 20);
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        to.push_str(str::from_utf8(&digits[at..]).unwrap_or_default());
    }
}

impl Part for Place {
    fn say(&self, to: &mut String) {
        say!(to, &*self.file.to_string_lossy(), ":", u64::from(self.line));
    }
}

impl<T: Part> Part for &T {
    fn say(&self, to: &mut String) {
        T::say(self, to);
    }
}

impl<T: Part> Part for Option<T> {
    fn say(&self, to: &mut String) {
        self.iter().for_each(|part| part.say(to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_nginx_reads_them() {
        let said = |ms| {
            let mut said = String::new();
            say!(&mut said, Directive(Duration::from_millis(ms)));
            said
        };
        assert_eq!([800, 4000, 280_300, 9_999, 10_001].map(said), ["800ms", "4s", "280s", "9999ms", "10s"]);
    }

    #[test]
    fn numbers_and_places_are_told_as_they_show_themselves() {
        let place = Place { file: std::path::Path::new("/etc/nginx/nginx.conf").into(), line: 120 };
        for number in [0, 9, 10, u64::MAX] {
            let mut said = String::from("at ");
            say!(&mut said, &place, " and ", number, None::<u64>);
            assert_eq!(said, format!("at {place} and {number}"));
        }
    }
}
