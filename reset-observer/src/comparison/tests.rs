use super::*;
use crate::sink::words;

fn stretch(minutes: u64, races: u64) -> Stretch {
    let mut stretch = Stretch { idle_closes: minutes * 10, requests_hurt: races, ..Stretch::default() };
    stretch.end(Duration::from_secs(minutes * 60), minutes * 100, minutes * 200);
    if races > 0 {
        stretch.causes.insert(Cause::KeepaliveRace, races);
    }
    stretch
}

fn compared(before: Stretch, after: Stretch) -> (Conclusion, String) {
    let comparison = Comparison::of(before, after);
    assert_eq!(comparison.causes.len(), 1);
    assert!(comparison.to_string().contains(&comparison.causes[0].sentence()));
    (comparison.causes[0].conclusion, comparison.to_string())
}

#[test]
fn many_before_and_none_after_is_a_fix_that_holds() {
    let (conclusion, told) = compared(stretch(10, 40), stretch(10, 0));
    assert_eq!(conclusion, Conclusion::Gone);
    assert!(told.contains("the fix holds: 40 before and none after") && told.contains("at most 7.8 %"), "{told}");
}

#[test]
fn two_before_and_none_after_say_too_little_and_how_much_would_do() {
    let (conclusion, told) = compared(stretch(10, 2), stretch(10, 0));
    assert_eq!(conclusion, Conclusion::TooFew);
    let enough = enough_after(2, 600.0);
    assert!(told.contains(&format!("none in {} after", words::milliseconds(enough * 1e3))), "{told}");
    let long_enough = Stretch { duration_s: enough * 1.001, ..stretch(10, 0) };
    assert_eq!(Comparison::of(stretch(10, 2), long_enough).causes[0].conclusion, Conclusion::Gone);
    let too_short = Stretch { duration_s: enough * 0.999, ..stretch(10, 0) };
    assert_eq!(Comparison::of(stretch(10, 2), too_short).causes[0].conclusion, Conclusion::TooFew);
}

#[test]
fn the_same_rate_over_another_time_is_no_change() {
    assert_eq!(compared(stretch(60, 120), stretch(20, 40)).0, Conclusion::Unchanged);
    assert_eq!(compared(stretch(10, 30), stretch(10, 90)).0, Conclusion::More);
    assert_eq!(compared(stretch(10, 90), stretch(10, 30)).0, Conclusion::Fewer);
}

#[test]
fn other_traffic_is_pointed_out() {
    let quiet = Stretch { connections: 10, idle_closes: 1, ..stretch(10, 0) };
    let comparison = Comparison::of(stretch(10, 40), quiet);
    assert!(!comparison.traffic_alike && comparison.to_string().contains("traffic was not the same"));
    assert!(Comparison::of(stretch(10, 40), stretch(20, 0)).traffic_alike);
}

#[test]
fn nothing_at_all_is_nothing_to_compare() {
    let told = Comparison::of(stretch(10, 0), stretch(10, 0)).to_string();
    assert!(told.contains("nothing to compare"), "{told}");
    let empty = Comparison::of(Stretch::default(), Stretch::default());
    assert!(empty.causes.is_empty() && empty.traffic_alike);
}
