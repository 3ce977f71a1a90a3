use super::*;

fn mistake(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn values_are_kept_as_written_with_their_place() {
    let node = parse("# settings\nport: [3000, 3001]\nsettle: 300ms\non: true\nname: \"true\"\nnothing:\n").unwrap();
    let mapping = Mapping::of(&node, &["port", "settle", "on", "name", "nothing"]).unwrap();
    let ports: Vec<&str> = mapping.get("port").unwrap().each().iter().map(|port| port.text().unwrap()).collect();
    assert_eq!(ports, ["3000", "3001"]);
    assert_eq!(mapping.text("settle").unwrap(), Some("300ms"));
    assert_eq!(mapping.get("settle").unwrap().place, Place { line: 3, column: 9 });
    assert_eq!(mapping.get("on").unwrap().truth(), Ok(true));
    assert!(mapping.get("name").unwrap().truth().is_err());
    assert!(mapping.get("nothing").is_none());
}

#[test]
fn an_empty_file_has_no_keys() {
    for text in ["", "# only a comment\n", "---\n", "~\n"] {
        assert!(Mapping::of(&parse(text).unwrap(), &[]).unwrap().entries().is_empty(), "{text:?}");
    }
}

#[test]
fn a_misspelt_key_is_told_with_its_place_and_what_was_meant() {
    let node = parse("a: 1\nbasic_auth_user: {}\n").unwrap();
    let known = ["a", "tls_server_config", "basic_auth_users"];
    let said = Mapping::of(&node, &known).unwrap_err().to_string();
    assert_eq!(said, "2:1: unknown key \"basic_auth_user\": did you mean basic_auth_users?");
    let node = parse("zzz: 1\n").unwrap();
    assert!(
        Mapping::of(&node, &known)
            .unwrap_err()
            .to_string()
            .ends_with("there are a, tls_server_config, basic_auth_users")
    );
}

#[test]
fn what_settings_do_not_need_is_refused_with_its_place() {
    assert!(mistake("a: 1\na: 2\n").starts_with("2:1: \"a\" is given twice, first in line 1"));
    assert!(mistake("a: &x 1\nb: *x\n").starts_with("1:"));
    assert!(mistake("a: !!int 1\n").contains("tags"));
    assert!(mistake("a: 1\n---\nb: 2\n").starts_with("3:1: a second document"));
    assert!(mistake("a: [1, 2\n").contains("not YAML"));
    assert!(mistake("a:\n\t- b\n").contains("not YAML"));
    assert!(mistake("? [a]\n: b\n").contains("not a list"));
    assert!(mistake(&("[".repeat(20) + &"]".repeat(20))).contains("nested too deep"));
}

#[test]
fn a_value_of_another_kind_is_refused() {
    assert!(Mapping::of(&parse("- a\n").unwrap(), &[]).is_err());
    let node = parse("a: [1]\nb: {c: d}\n").unwrap();
    let mapping = Mapping::of(&node, &["a", "b"]).unwrap();
    assert!(mapping.text("a").unwrap_err().message.contains("not a list"));
    assert!(mapping.text("b").unwrap_err().message.contains("not further keys"));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    for path in ["/nonexistent.yml", "/tmp"] {
        assert!(format!("{:#}", read_file(Path::new(path)).unwrap_err()).starts_with(&format!("cannot read {path}")));
    }
}
