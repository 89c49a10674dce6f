//! Development certificates: an authority of one's own, and certificates signed by it.
//!
//! For trying things out and for tests. In production certificates come from an authority that
//! the peers know too.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Lifetimes, our choice: an authority for ten years, a certificate for two.
const AUTHORITY_LIFE: Duration = Duration::from_secs(3650 * 24 * 3600);
const CERTIFICATE_LIFE: Duration = Duration::from_secs(730 * 24 * 3600);

/// One certificate to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// File name without its ending.
    pub file: String,
    /// DNS names (`*.` in front allowed) and IP addresses the certificate is good for.
    pub names: Vec<String>,
}

impl Wanted {
    /// From `NAME[,ALSO...]`: the first name also names the files.
    ///
    /// # Errors
    /// [`DevCertError::BadName`] for an empty name or one with a character that neither a host
    /// name nor an address has.
    pub fn parse(text: &str) -> Result<Self, DevCertError> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        for name in &names {
            let fine = |c: char| c.is_ascii_alphanumeric() || ".-_:*".contains(c);
            if name.is_empty() || name.starts_with('.') || !name.chars().all(fine) {
                return Err(DevCertError::BadName(text.to_owned()));
            }
        }
        let file = names
            .first()
            .map(|name| name.replace(['*', ':'], "_"))
            .unwrap_or_default();
        if file == "ca" {
            return Err(DevCertError::BadName(text.to_owned()));
        }
        Ok(Wanted { file, names })
    }
}

/// A file of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DevFile {
    /// There was none, so it was made.
    Written(PathBuf),
    /// Was there already and was left as it is.
    Kept(PathBuf),
}

/// Why no certificate was made.
#[derive(Debug, thiserror::Error)]
pub enum DevCertError {
    /// A name that cannot stand in a certificate or a file name.
    #[error(
        "`{0}` is not a host name or address; write NAME or NAME,ALSO,... (the name `ca` is taken)"
    )]
    BadName(String),
    /// A file or folder that cannot be used.
    #[error("cannot use {path}: {source}", path = path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Only one of the authority's two files, or two that do not fit.
    #[error("{path} and its key are not a pair; remove both to get a new authority", path = path.display())]
    BrokenAuthority {
        /// The authority's certificate.
        path: PathBuf,
    },
    /// The certificate could not be made.
    #[error("cannot make the certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// Makes `ca.pem` and `ca.key` in `dir` if they are not there, and for each wanted certificate
/// `FILE.pem` and `FILE.key`, signed by that authority and good for servers and clients. Keys are
/// readable by their owner only. What exists is kept, unless `overwrite`; the authority is kept
/// in any case, since everything signed by it would become worthless.
///
/// # Errors
/// [`DevCertError`]. Files made before the error stay.
pub fn generate(
    dir: &Path,
    wanted: &[Wanted],
    overwrite: bool,
    now: SystemTime,
) -> Result<Vec<DevFile>, DevCertError> {
    fs::create_dir_all(dir).map_err(|source| file_error(dir, source))?;
    let mut files = Vec::new();
    let authority = authority(dir, now, &mut files)?;
    for one in wanted {
        let certificate = dir.join(format!("{}.pem", one.file));
        let key = dir.join(format!("{}.key", one.file));
        if !overwrite && certificate.exists() && key.exists() {
            files.extend([DevFile::Kept(certificate), DevFile::Kept(key)]);
            continue;
        }
        if overwrite {
            for path in [&certificate, &key] {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(file_error(path, error));
                    }
                    _ => {}
                }
            }
        }
        let pair = KeyPair::generate()?;
        let signed = leaf(&one.names, now)?.signed_by(&pair, &authority)?;
        write(&key, &pair.serialize_pem(), true)?;
        write(&certificate, &signed.pem(), false)?;
        files.extend([DevFile::Written(certificate), DevFile::Written(key)]);
    }
    Ok(files)
}

/// The authority in `dir`, made if it is not there.
fn authority(
    dir: &Path,
    now: SystemTime,
    files: &mut Vec<DevFile>,
) -> Result<Issuer<'static, KeyPair>, DevCertError> {
    let (certificate, key) = (dir.join("ca.pem"), dir.join("ca.key"));
    if !certificate.exists() && !key.exists() {
        let mut random = [0u8; 4];
        // The name tells authorities apart; nothing rests on its being random.
        let _ = getrandom::fill(&mut random);
        let tag = u32::from_be_bytes(random);
        let params = authority_params(&format!("wvgate development authority {tag:08x}"), now);
        let pair = KeyPair::generate()?;
        let own = params.self_signed(&pair)?;
        write(&key, &pair.serialize_pem(), true)?;
        write(&certificate, &own.pem(), false)?;
        files.extend([DevFile::Written(certificate), DevFile::Written(key)]);
        return Ok(Issuer::new(params, pair));
    }
    let broken = || DevCertError::BrokenAuthority {
        path: certificate.clone(),
    };
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| file_error(path, error));
    if !certificate.exists() || !key.exists() {
        return Err(broken());
    }
    let pair = KeyPair::from_pem(&read(&key)?).map_err(|_| broken())?;
    let der =
        CertificateDer::from_pem_slice(read(&certificate)?.as_bytes()).map_err(|_| broken())?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| broken())?;
    if parsed.public_key().subject_public_key.data.as_ref() != pair.public_key_raw() {
        return Err(broken());
    }
    let name = parsed
        .subject()
        .iter_common_name()
        .next()
        .and_then(|name| name.as_str().ok());
    let params = authority_params(name.ok_or_else(broken)?, now);
    files.extend([DevFile::Kept(certificate), DevFile::Kept(key)]);
    Ok(Issuer::new(params, pair))
}

fn authority_params(name: &str, now: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    live(&mut params, now, AUTHORITY_LIFE);
    params
}

fn leaf(names: &[String], now: SystemTime) -> Result<CertificateParams, DevCertError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(first) = names.first() {
        params
            .distinguished_name
            .push(DnType::CommonName, first.as_str());
    }
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    live(&mut params, now, CERTIFICATE_LIFE);
    Ok(params)
}

/// Valid from yesterday, so that a clock somewhat behind does not matter.
fn live(params: &mut CertificateParams, now: SystemTime, life: Duration) {
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(DAY);
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch.saturating_sub(DAY);
    params.not_after = epoch + (since_epoch + life);
}

fn write(path: &Path, text: &str, secret: bool) -> Result<(), DevCertError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(if secret { 0o600 } else { 0o644 });
    }
    let mut file = options
        .open(path)
        .map_err(|source| file_error(path, source))?;
    file.write_all(text.as_bytes())
        .map_err(|source| file_error(path, source))
}

fn file_error(path: &Path, source: io::Error) -> DevCertError {
    DevCertError::File {
        path: path.to_owned(),
        source,
    }
}
