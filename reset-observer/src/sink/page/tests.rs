use super::*;

fn on_terminal(markdown: &str, width: usize) -> String {
    render(markdown, Look { width: Some(width), colour: false })
}

#[test]
fn headings_stand_out_and_text_below_them_is_wrapped_and_indented() {
    let text =
        on_terminal("# title\n\nA sentence with `some code` that is\nlonger than a line.\n\n## next\n\nEnd.\n", 40);
    assert_eq!(text, "title\n  A sentence with `some code` that is\n  longer than a line.\n\nnext\n  End.\n");
}

#[test]
fn headings_are_bold_on_a_terminal_with_colours_and_nothing_else_is() {
    let text = render("# title\n\nText.\n", Look { width: Some(80), colour: true });
    assert_eq!(text, "\x1b[1mtitle\x1b[0m\n  Text.\n");
}

#[test]
fn code_is_kept_as_it_is_and_never_broken() {
    let line = "ss -tnoi state established '( dport = :3000 or sport = :3000 )'";
    let text = on_terminal(&format!("Ask:\n\n```\n{line}\n\n  indented\n```\n\nThen.\n"), 40);
    assert_eq!(text, format!("  Ask:\n\n      {line}\n\n        indented\n\n  Then.\n"));
}

#[test]
fn lists_hang_and_count_also_around_code() {
    let text = on_terminal(
        "Do:\n\n1. One that is longer than the line is wide.\n2. Two:\n\n   ```\n   code\n   ```\n\n3. Three.\n\n- a\n- b\n",
        40,
    );
    let expected = "  Do:\n\n  1. One that is longer than the line is\n     wide.\n  2. Two:\n\n      code\n\n  3. Three.\n\n  - a\n  - b\n";
    assert_eq!(text, expected);
}

#[test]
fn tables_are_aligned_and_their_cells_wrapped() {
    let text =
        on_terminal("| a | meaning |\n|---|---|\n| `x` | short |\n| `long` | one two three four five six |\n", 34);
    let expected = [
        "  a        meaning",
        " -----------------------------",
        "  `x`      short",
        "  `long`   one two three four",
        "           five six",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_link_to_elsewhere_keeps_its_address_and_one_to_a_page_its_name() {
    let text = on_terminal("See [keepalive_race](keepalive_race.md) and [nginx](https://nginx.org/).\n", 100);
    assert_eq!(text, "  See keepalive_race and nginx (https://nginx.org/).\n");
}

#[test]
fn a_pipe_gets_eighty_columns_and_no_control_codes() {
    let text = render(&"word ".repeat(100), Look::PLAIN);
    assert!(text.lines().count() > 1 && text.lines().all(|line| line.len() <= 80), "{text}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}
