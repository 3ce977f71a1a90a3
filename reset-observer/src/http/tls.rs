//! TLS by rustls, with ring, which builds without further tools.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result, bail};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{WebPkiClientVerifier, danger::ClientCertVerifier},
        version::{TLS12, TLS13},
    },
};

use super::web_config::{ClientCertificates, Pem, TlsConfig, TlsVersion};

/// Reads certificates and key.
///
/// # Errors
/// If a file cannot be read, is no PEM, or certificate and key do not go together.
pub(super) fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor> {
    let provider = Arc::new(ring::default_provider());
    let versions: &[_] = match (config.oldest, config.newest) {
        (TlsVersion::Tls12, TlsVersion::Tls12) => &[&TLS12],
        (TlsVersion::Tls12, TlsVersion::Tls13) => &[&TLS12, &TLS13],
        (TlsVersion::Tls13, _) => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions)?;
    let builder = match verifier(&config.clients, &provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let certificates = certificates(&config.certificate).context("cert_file")?;
    let key = key(&config.key).context("key_file")?;
    let mut server = builder
        .with_single_cert(certificates, key)
        .context("the certificate and the key do not go together: name those that do")?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}

fn verifier(
    clients: &ClientCertificates,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>> {
    let (pem, required) = match clients {
        ClientCertificates::NotAsked => return Ok(None),
        ClientCertificates::IfGiven(pem) => (pem, false),
        ClientCertificates::Required(pem) => (pem, true),
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).context("client_ca_file")? {
        roots.add(certificate).context("client_ca_file holds a certificate that cannot be used")?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if required { builder } else { builder.allow_unauthenticated() };
    Ok(Some(builder.build().context("client_ca_file cannot be used")?))
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>> {
    let text = text(pem)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>()?;
    if certificates.is_empty() {
        bail!("no certificate in PEM in {}", name(pem));
    }
    Ok(certificates)
}

fn key(pem: &Pem) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(text(pem)?.as_bytes()).with_context(|| format!("no key in PEM in {}", name(pem)))
}

fn text(pem: &Pem) -> Result<String> {
    match pem {
        Pem::File(path) => crate::yaml::read_file(path),
        Pem::Text(text) => Ok(text.clone()),
    }
}

fn name(pem: &Pem) -> String {
    match pem {
        Pem::File(path) => Path::display(path).to_string(),
        Pem::Text(_) => "the web configuration".into(),
    }
}
