//! Certificates for a node with TLS: an authority of our own, a server's and a client's certificate.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use tempfile::TempDir;

/// PEM files in a temporary directory, removed when dropped. Keep it as long as the node that uses it.
///
/// The server's certificate is good for `localhost` and 127.0.0.1.
#[derive(Debug)]
pub struct TlsFiles {
    dir: TempDir,
}

/// The client's certificate and key, each a PEM file.
#[derive(Clone, Debug)]
pub struct ClientIdentity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key (PKCS#8).
    pub key: PathBuf,
}

impl TlsFiles {
    /// Makes a new authority and the two certificates.
    pub fn new() -> Result<TlsFiles> {
        let files = TlsFiles {
            dir: tempfile::Builder::new()
                .prefix("edeposit-tls-")
                .tempdir()
                .context("making a directory for certificates")?,
        };
        let mut ca = parameters("E-deposit test authority")?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_key = KeyPair::generate()?;
        files.write("ca.pem", &ca.self_signed(&ca_key)?.pem())?;
        let issuer = Issuer::new(ca, ca_key);

        let mut server = parameters("localhost")?;
        server.subject_alt_names = vec![
            SanType::DnsName("localhost".try_into()?),
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        files.issue("server", &server, &issuer)?;

        let mut client = parameters("edeposit client")?;
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        files.issue("client", &client, &issuer)?;
        Ok(files)
    }

    /// The authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// The server's certificate.
    pub fn server_certificate(&self) -> PathBuf {
        self.path("server.pem")
    }

    /// The server's private key.
    pub fn server_key(&self) -> PathBuf {
        self.path("server.key")
    }

    /// The client's certificate and private key.
    pub fn client(&self) -> ClientIdentity {
        ClientIdentity {
            certificate: self.path("client.pem"),
            key: self.path("client.key"),
        }
    }

    /// The directory of the files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn issue(
        &self,
        name: &str,
        parameters: &CertificateParams,
        issuer: &Issuer<'_, KeyPair>,
    ) -> Result<()> {
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, issuer)?;
        self.write(&format!("{name}.pem"), &certificate.pem())?;
        self.write(&format!("{name}.key"), &key.serialize_pem())
    }

    fn write(&self, name: &str, pem: &str) -> Result<()> {
        let path = self.path(name);
        fs::write(&path, pem).with_context(|| format!("writing {}", path.display()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn parameters(common_name: &str) -> Result<CertificateParams> {
    let mut parameters = CertificateParams::new(Vec::<String>::new())?;
    parameters
        .distinguished_name
        .push(DnType::CommonName, common_name);
    Ok(parameters)
}
