use super::*;

fn text(word: Option<Vec<u8>>) -> Option<String> {
    word.map(|word| String::from_utf8(word).unwrap())
}

#[test]
fn a_title_is_taken_apart_at_its_options() {
    let title =
        b"nginx: master process /usr/sbin/nginx -g daemon on; master_process on; -c /etc/my nginx.conf -p/srv\0\0\0";
    let invocation = Invocation::parse(title);
    assert_eq!(text(invocation.globals).as_deref(), Some("daemon on; master_process on;"));
    assert_eq!(text(invocation.configuration).as_deref(), Some("/etc/my nginx.conf"));
    assert_eq!(text(invocation.prefix).as_deref(), Some("/srv"));
}

#[test]
fn a_program_with_a_space_in_its_path_is_no_option() {
    let invocation = Invocation::parse(b"nginx: master process /opt/my nginx/nginx -e stderr");
    assert_eq!(invocation, Invocation { error_log: Some(b"stderr".to_vec()), ..Invocation::default() });
    assert_eq!(Invocation::parse(b"nginx: master process nginx"), Invocation::default());
}

#[test]
fn arguments_without_a_title_are_exact() {
    let invocation = Invocation::parse(b"/usr/sbin/nginx\0-qc\0/a b\0-g\0daemon off;\0");
    assert_eq!(text(invocation.configuration).as_deref(), Some("/a b"));
    assert_eq!(text(invocation.globals).as_deref(), Some("daemon off;"));
    assert_eq!(Invocation::parse(b""), Invocation::default());
    assert_eq!(Invocation::parse(b"nginx\0-c\0").configuration.unwrap_or_default(), b"");
}

#[test]
fn angie_puts_brackets_around_its_arguments() {
    let invocation =
        Invocation::parse(b"angie: master process v1.10.0 #1 [/usr/sbin/angie -c /etc/angie/angie.conf]\0");
    assert_eq!(text(invocation.configuration).as_deref(), Some("/etc/angie/angie.conf"));
}

fn main_file(cmdline: &[u8], arguments: Option<&str>) -> String {
    let build = Build { version: None, arguments: arguments.map(str::to_owned) };
    Invocation::parse(cmdline).origin(&build, Path::new("/home")).main.display().to_string()
}

#[test]
fn the_main_file_is_that_of_the_options_or_that_of_the_build() {
    let debian = Some("--prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf");
    assert_eq!(main_file(b"nginx", debian), "/etc/nginx/nginx.conf");
    assert_eq!(main_file(b"nginx\0-c\0my.conf", debian), "/usr/share/nginx/my.conf");
    assert_eq!(main_file(b"nginx\0-c\0/a/b.conf", debian), "/a/b.conf");
    assert_eq!(main_file(b"nginx\0-p\0/srv\0-c\0b.conf", debian), "/srv/b.conf");
    assert_eq!(main_file(b"nginx\0-p\0.\0-c\0b.conf", debian), "/home/./b.conf");
    assert_eq!(
        main_file(b"nginx", Some("--prefix=/usr/local/openresty/nginx")),
        "/usr/local/openresty/nginx/conf/nginx.conf"
    );
    assert_eq!(main_file(b"nginx\0-p\0/srv", Some("--with-debug")), "/srv/conf/nginx.conf");
    assert_eq!(main_file(b"nginx", Some("")), "/usr/local/nginx/conf/nginx.conf");
    assert_eq!(main_file(b"nginx", None), "/etc/nginx/nginx.conf");
}

#[test]
fn the_first_error_log_is_that_of_the_option_or_of_the_build() {
    let build = Build { version: None, arguments: Some("--error-log-path=stderr".into()) };
    let first = |invocation: Invocation, build: &Build| invocation.first_log(build, Path::new("/srv"));
    assert_eq!(first(Invocation::default(), &build), LogTarget::Stderr);
    assert_eq!(first(Invocation::default(), &Build::default()), LogTarget::File("/srv/logs/error.log".into()));
    let invocation = Invocation { error_log: Some(b"e.log".to_vec()), ..Invocation::default() };
    assert_eq!(first(invocation, &build), LogTarget::File("/srv/e.log".into()));
}
