//! https: certificates that are good, and those that are not.

mod common;

use std::sync::{Arc, Mutex};

use common::{download, downloader};
use edeposit_testkit::web::{Reply, serve};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A server with a certificate for `name` until `year`, and the authority that vouches for it, as a PEM file.
async fn server(name: &str, year: i32) -> (String, tempfile::NamedTempFile) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::<String>::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(authority.path(), ca.self_signed(&ca_key).unwrap().pem()).unwrap();

    let mut server = CertificateParams::new(vec![name.to_owned()]).unwrap();
    server.not_before = date_time_ymd(2000, 1, 1);
    server.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = server.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                let _ = serve(stream, &Mutex::default(), &|_: &str| Reply::ok("safe")).await;
            }
        }
    });
    (format!("https://localhost:{port}/"), authority)
}

#[tokio::test]
async fn good_and_bad_certificates() {
    let (url, authority) = server("localhost", 2100).await;
    let with_ca = |file: &tempfile::NamedTempFile| {
        let path = file.path().to_owned();
        downloader(|settings| settings.ca_file = Some(path))
    };
    assert_eq!(download(&with_ca(&authority), &url).await.unwrap(), b"safe");

    let (expired, its_authority) = server("localhost", 2001).await;
    let (misnamed, another_authority) = server("elsewhere.example", 2100).await;
    for (downloader, url) in [
        (downloader(|_| {}), &url),
        (with_ca(&its_authority), &expired),
        (with_ca(&another_authority), &misnamed),
    ] {
        let told = download(&downloader, url).await.unwrap_err();
        assert_eq!(
            told.kind, "<class 'requests.exceptions.SSLError'>",
            "{told}"
        );
        assert!(told.message.contains("certificate"), "{told}");
    }
}

#[test]
fn a_file_that_is_no_authority() {
    let mut settings = common::settings();
    let file = tempfile::NamedTempFile::new().unwrap();
    for path in [file.path(), std::path::Path::new("/nonexistent.pem")] {
        settings.ca_file = Some(path.to_owned());
        let error = edeposit_downloader::Downloader::new(settings.clone()).unwrap_err();
        assert!(error.to_string().starts_with("CA_FILE "), "{error}");
    }
}
