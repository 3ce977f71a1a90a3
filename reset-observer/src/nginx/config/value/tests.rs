use super::*;

fn ms(text: &str) -> Option<u128> {
    time(text.as_bytes()).map(|time| time.as_millis())
}

#[test]
fn times_are_read_with_and_without_units() {
    for (text, expected) in [
        ("60", 60_000),
        ("60s", 60_000),
        ("500ms", 500),
        ("1m30s", 90_000),
        ("1h 30m", 5_400_000),
        ("1h30m10s500ms", 5_410_500),
        ("1d12h", 129_600_000),
        ("2w", 1_209_600_000),
        ("1m 30", 90_000),
        ("0", 0),
    ] {
        assert_eq!(ms(text), Some(expected), "{text}");
    }
}

#[test]
fn times_that_nginx_refuses_are_refused() {
    for text in ["", "abc", "1x", "30s1m", "1m1m", "-1", "1.5s", "1y", "1M", "99999999999999999999", "500ms1s", " "] {
        assert_eq!(ms(text), None, "{text}");
    }
    assert_eq!(ms("9223372036854775807"), None, "it overflows in milliseconds");
}

#[test]
fn whole_seconds_know_months_and_years_but_no_milliseconds() {
    let seconds = |text: &str| time_in_seconds(text.as_bytes()).map(|time| time.as_secs());
    assert_eq!(seconds("10"), Some(10));
    assert_eq!(seconds("1M"), Some(2_592_000));
    assert_eq!(seconds("1y1M"), Some(34_128_000));
    assert_eq!(seconds("10ms"), None);
}

#[test]
fn sizes_have_two_units() {
    assert_eq!(size(b"4096"), Some(4096));
    assert_eq!(size(b"4k"), Some(4096));
    assert_eq!(size(b"1M"), Some(1 << 20));
    for text in ["", "k", "1g", "-1", "9223372036854775808", "9223372036854775807k"] {
        assert_eq!(size(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn flags_are_on_or_off_in_any_case() {
    assert_eq!((flag(b"on"), flag(b"OFF"), flag(b"yes")), (Some(true), Some(false), None));
}
