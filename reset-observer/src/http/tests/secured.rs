//! TLS and passwords, with certificates that openssl would make.

use std::{fs, path::Path, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tempfile::TempDir;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};

use super::*;

/// A certificate authority, and certificates of it for `localhost` and for a client.
struct Certificates(TempDir);

impl Certificates {
    fn make() -> Self {
        let made = Self(TempDir::new().unwrap());
        made.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -subj /CN=ca -days 2");
        made.issue("server");
        made.issue("client");
        made
    }

    fn issue(&self, name: &str) {
        fs::write(self.path("ext"), "subjectAltName=DNS:localhost\n").unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out {name}.crt -days 2 -extfile ext"
        ));
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// Writes a web configuration, and gives its path.
    fn configure(&self, text: &str) -> std::path::PathBuf {
        let path = self.path("web.yml");
        fs::write(&path, text).unwrap();
        path
    }

    fn client(&self, with_certificate: bool) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.path("ca.crt"))).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match with_certificate {
            true => {
                let key = PrivateKeyDer::from_pem_file(self.path("client.key")).unwrap();
                builder.with_client_auth_cert(vec![certificate(&self.path("client.crt"))], key).unwrap()
            }
            false => builder.with_no_client_auth(),
        };
        TlsConnector::from(Arc::new(config))
    }
}

fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

/// Asks through TLS; nothing comes back where the handshake fails.
async fn ask_tls(address: SocketAddr, client: &TlsConnector, header: &str) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    let Ok(mut stream) = client.connect(ServerName::try_from("localhost").unwrap(), stream).await else {
        return String::new();
    };
    _ = stream.write_all(format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{header}\r\n").as_bytes()).await;
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn password(text: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(text))
}

fn users(password: &str) -> String {
    format!("basic_auth_users:\n  alice: {}\n", bcrypt::hash(password, 4).unwrap())
}

const TLS: &str = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

#[tokio::test]
async fn metrics_are_read_through_tls_with_a_password() {
    let certificates = Certificates::make();
    let path = certificates.configure(&format!("{TLS}{}", users("secret")));
    let (address, _) = start_with(Web::by_file(&path).unwrap()).await;
    let client = certificates.client(false);
    let answer = ask_tls(address, &client, &password("alice:secret")).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("reset_observer_build_info"), "{answer}");
    for wrong in [password("alice:wrong"), String::new()] {
        let answer = ask_tls(address, &client, &wrong).await;
        assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("www-authenticate: Basic"), "{answer}");
        assert!(!answer.contains("reset_observer_build_info"), "{answer}");
    }
    assert!(!ask(address, "GET /metrics").await.contains("reset_observer_"), "without TLS");
}

#[tokio::test]
async fn clients_without_a_certificate_are_kept_out_where_one_is_required() {
    let certificates = Certificates::make();
    let more = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  min_version: TLS13\n";
    let path = certificates.configure(&format!("{TLS}{more}"));
    let (address, _) = start_with(Web::by_file(&path).unwrap()).await;
    assert!(ask_tls(address, &certificates.client(true), "").await.starts_with("HTTP/1.1 200"));
    assert_eq!(ask_tls(address, &certificates.client(false), "").await, "");
}

#[tokio::test]
async fn a_changed_file_is_taken_over_and_a_bad_one_keeps_the_door_as_it_was() {
    let certificates = Certificates::make();
    let path = certificates.configure(&users("first"));
    let web = Web::by_file(&path).unwrap();
    assert_eq!(web.current().users.len(), 1);
    let hash = |web: &Web| web.current().users.get("alice").cloned();
    let first = hash(&web);
    certificates.configure(&users("second"));
    web.reload().unwrap();
    let second = hash(&web);
    assert!(second.is_some() && second != first);
    for bad in [
        "basic_auth_user: {}\n",
        "basic_auth_users: {alice: plain}\n",
        "tls_server_config: {cert_file: a, key_file: b}\n",
        "[",
    ] {
        certificates.configure(bad);
        let said = format!("{:#}", web.reload().unwrap_err());
        assert!(said.contains("web.yml"), "{said}");
        assert_eq!(hash(&web), second, "{bad}");
        assert_eq!(web.last_reload(), Some(false));
    }
    fs::remove_file(&path).unwrap();
    assert!(web.reload().is_err());
    assert_eq!(hash(&web), second, "a file that is gone leaves the password in place");
    certificates.configure("");
    web.reload().unwrap();
    assert_eq!((web.current().users.len(), web.last_reload()), (0, Some(true)));
}

#[tokio::test]
async fn a_certificate_that_was_renewed_is_served_without_a_restart() {
    let certificates = Certificates::make();
    let path = certificates.configure(TLS);
    let (address, _) = start_with(Web::by_file(&path).unwrap()).await;
    let client = certificates.client(false);
    assert!(ask_tls(address, &client, "").await.starts_with("HTTP/1.1 200"));
    let before = served(address, &client).await;
    certificates.issue("server");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while served(address, &client).await == before {
        assert!(std::time::Instant::now() < deadline, "the old certificate is still served");
        time::sleep(Duration::from_millis(100)).await;
    }
}

async fn served(address: SocketAddr, client: &TlsConnector) -> Option<Vec<u8>> {
    let stream = TcpStream::connect(address).await.unwrap();
    // While one of key and certificate is new, the old pair is served.
    let stream = client.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    stream.get_ref().1.peer_certificates().map(|certificates| certificates[0].to_vec())
}

#[test]
fn a_key_that_does_not_go_with_its_certificate_is_told() {
    let certificates = Certificates::make();
    let path = certificates.configure("tls_server_config:\n  cert_file: server.crt\n  key_file: client.key\n");
    let said = format!("{:#}", Web::by_file(&path).err().unwrap());
    assert!(said.contains("do not go together"), "{said}");
    let path = certificates.configure("tls_server_config:\n  cert_file: server.key\n  key_file: client.key\n");
    let said = format!("{:#}", Web::by_file(&path).err().unwrap());
    assert!(said.contains("cert_file: no certificate in PEM in"), "{said}");
}
