use super::*;
use crate::sink::{example, json::JsonLines};

fn checks() -> Vec<Check> {
    vec![
        Check::required("btf", Finding::ok("126,611 types")),
        Check::required("capabilities", Finding::missing("CAP_BPF is missing", "run it as root, or grant CAP_BPF")),
        Check::optional("nginx", Finding::unknown("processes of others are hidden", "mount /proc without hidepid")),
    ]
}

#[test]
fn requirements_come_first_and_each_remedy_stands_below() {
    let expected = "\
Required
  ok       btf           126,611 types
  missing  capabilities  CAP_BPF is missing
                         do: run it as root, or grant CAP_BPF
Optional
  unknown  nginx         processes of others are hidden
                         do: mount /proc without hidepid
";
    assert_eq!(table(&checks(), Look::PLAIN), expected);
}

#[test]
fn on_a_narrow_terminal_a_sentence_goes_on_below_itself() {
    let text = table(&checks(), Look { width: Some(58), colour: false });
    assert!(text.contains("do: run it as root, or grant\n                             CAP_BPF\n"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 58), "{text}");
}

#[test]
fn only_a_requirement_that_is_not_there_is_red() {
    let look = Look { width: None, colour: true };
    let text = table(&checks(), look);
    let red: Vec<&str> = text.lines().filter(|line| line.contains("\x1b[31m")).collect();
    assert!(red.len() == 1 && red[0].contains("capabilities"), "{text:?}");
}

/// The contract, letter for letter.
#[test]
fn a_check_is_one_json_line() {
    let mut out = Vec::new();
    JsonLines::new(&mut out, example::CLOCK).check(&checks()[1], crate::record::KernelTime(0)).unwrap();
    let line = String::from_utf8(out).unwrap();
    let (head, rest) = line.split_once(r#","name":"#).unwrap();
    assert!(head.starts_with(r#"{"type":"doctor","schema":1,"time":""#), "{line}");
    assert_eq!(
        rest,
        concat!(
            r#""capabilities","kind":"required","state":"missing","found":"CAP_BPF is missing","#,
            r#""remedy":"run it as root, or grant CAP_BPF"}"#,
            "\n"
        )
    );
}
