use super::*;

const HASH: &str = "$2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze";

fn read(text: &str) -> Result<WebConfig, Mistake> {
    WebConfig::parse(text, Path::new("/etc/ro"))
}

fn mistake(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn the_exporters_own_example_is_understood() {
    let text = format!(
        "# TLS and basic authentication\ntls_server_config:\n  cert_file: server.crt\n  key_file: /keys/server.key\n\
         basic_auth_users:\n  alice: {HASH}\n"
    );
    let config = read(&text).unwrap();
    assert_eq!(config.files(), [PathBuf::from("/etc/ro/server.crt"), PathBuf::from("/keys/server.key")]);
    let tls = config.tls.unwrap();
    assert_eq!((tls.oldest, tls.newest), (TlsVersion::Tls12, TlsVersion::Tls13));
    assert_eq!(tls.clients, ClientCertificates::NotAsked);
    assert_eq!(config.users["alice"], HASH);
}

#[test]
fn client_certificates_versions_headers_and_inline_certificates_are_understood() {
    let text = "tls_server_config:\n  cert: |\n    -----BEGIN\n  key: k\n  client_auth_type: RequireAndVerifyClientCert\n\
                \x20 client_ca_file: ca.crt\n  min_version: TLS13\nhttp_server_config:\n  http2: false\n  headers:\n\
                \x20   Strict-Transport-Security: max-age=31536000\n    X-Frame-Options:\n";
    let config = read(text).unwrap();
    assert_eq!(config.files(), [PathBuf::from("/etc/ro/ca.crt")]);
    assert_eq!(config.headers.len(), 1);
    assert_eq!(config.headers[0].0, "strict-transport-security");
    let tls = config.tls.unwrap();
    assert_eq!(tls.oldest, TlsVersion::Tls13);
    assert!(matches!(tls.clients, ClientCertificates::Required(Pem::File(_))));
    assert!(matches!(tls.certificate, Pem::Text(_)));
}

#[test]
fn an_empty_file_asks_for_nothing() {
    assert_eq!(read("").unwrap(), WebConfig::default());
    assert_eq!(read("{}").unwrap(), WebConfig::default());
}

#[test]
fn a_misspelt_key_is_refused_with_its_place_and_what_was_meant() {
    assert_eq!(
        mistake("basic_auth_user: {}\n"),
        "1:1: unknown key \"basic_auth_user\": did you mean basic_auth_users?"
    );
    let said = mistake("tls_server_config:\n  cert_file: a\n  keyfile: b\n");
    assert_eq!(said, "3:3: unknown key \"keyfile\": did you mean key_file?");
    assert!(
        mistake("http_server_config:\n  headers:\n    X-Frame-Option: deny\n")
            .contains("did you mean X-Frame-Options?")
    );
}

#[test]
fn what_other_exporters_know_and_this_does_not_is_told_apart_from_a_mistake() {
    assert!(mistake("rate_limit:\n  burst: 20\n").starts_with("1:1: rate_limit is not offered here, leave it out"));
    assert!(mistake("tls_server_config:\n  curve_preferences: []\n").contains("not offered here"));
}

#[test]
fn tls_that_would_not_be_what_it_seems_is_refused() {
    let tls = |more: &str| mistake(&format!("tls_server_config:\n  cert_file: a\n  key_file: b\n{more}"));
    assert!(mistake("tls_server_config:\n  cert_file: a\n").contains("key_file is missing"));
    assert!(tls("  client_ca_file: c\n").contains("no client is asked"));
    assert!(tls("  client_auth_type: RequireAndVerifyClientCert\n").contains("client_ca_file is missing"));
    assert!(tls("  client_auth_type: RequireAnyClientCert\n").contains("anyone could make one"));
    assert!(
        tls("  client_auth_type: RequireAndVerifyClientCerts\n").contains("did you mean RequireAndVerifyClientCert?")
    );
    assert!(tls("  min_version: TLS10\n").contains("write TLS12"));
    assert!(tls("  min_version: TLS13\n  max_version: TLS12\n").contains("exchange them"));
    assert!(tls("  cert: x\n").contains("both given"));
}

#[test]
fn a_password_that_is_no_hash_or_would_keep_the_processor_busy_is_refused() {
    let said = mistake("basic_auth_users:\n  alice: secret\n");
    assert!(said.starts_with("2:10: the password of \"alice\" is no bcrypt hash"), "{said}");
    let slow = HASH.replacen("$10$", "$31$", 1);
    assert!(mistake(&format!("basic_auth_users:\n  alice: {slow}\n")).contains("cost 31"));
}
