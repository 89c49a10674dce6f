//! The files that a configuration names: they must be there and readable, keys and secrets
//! by few; secrets are read here.

use std::fs;
use std::path::Path;

use super::Config;
use super::report::Report;
use super::secret::Secret;

const CERTIFICATE: &str = "put the certificate there; for tests, make one with: wvgate init";
const CA: &str = "put the CA's certificate (PEM) there, or name another file";

/// Looks at every file, and reads the secrets.
pub(super) fn check(config: &mut Config, report: &mut Report<'_>) {
    directory("node.data", Some(&config.node.data), false, report);
    directory(
        "node.mappings",
        config.node.mappings.as_deref(),
        true,
        report,
    );
    let ssp = &config.ssp;
    file(
        "ssp.certificate",
        ssp.certificate.as_deref(),
        CERTIFICATE,
        report,
    );
    private("ssp.key", ssp.key.as_deref(), report);
    file("ssp.client_ca", ssp.client_ca.as_deref(), CA, report);
    let content = &config.content;
    file(
        "content.certificate",
        content.certificate.as_deref(),
        CERTIFICATE,
        report,
    );
    private("content.key", content.key.as_deref(), report);
    if let Some(clients) = &mut config.clients {
        file(
            "clients.certificate",
            clients.certificate.as_deref(),
            CERTIFICATE,
            report,
        );
        private("clients.key", clients.key.as_deref(), report);
        if let Some(kept) = &mut clients.digest_secret {
            long_secret("clients.digest_secret", kept, report);
        }
        if let Some(clp) = &clients.clp {
            let certificate = clp.certificate.as_deref();
            file("clients.clp.certificate", certificate, CERTIFICATE, report);
            private("clients.clp.key", clp.key.as_deref(), report);
        }
        for (index, sms) in clients.sms.iter_mut().enumerate() {
            let key = |key: &str| format!("clients.sms.{index}.{key}");
            if let Some(kept) = &mut sms.secret {
                long_secret(&key("secret"), kept, report);
            }
            file(&key("ca"), sms.ca.as_deref(), CA, report);
            if let Some(kept) = &mut sms.password {
                secret(&key("password"), kept, report);
            }
        }
    }
    for (index, peer) in config.peer.iter_mut().enumerate() {
        let key = |key: &str| format!("peer.{index}.{key}");
        file(&key("ca"), peer.ca.as_deref(), CA, report);
        file(
            &key("client_certificate"),
            peer.client_certificate.as_deref(),
            CERTIFICATE,
            report,
        );
        private(&key("client_key"), peer.client_key.as_deref(), report);
        if let Some(password) = &mut peer.password {
            secret(&key("password"), password, report);
        }
    }
    let ca = config.xmpp.as_ref().and_then(|xmpp| xmpp.files.ca.clone());
    file("xmpp.files.ca", ca.as_deref(), CA, report);
    for (index, component) in config
        .xmpp
        .iter_mut()
        .flat_map(|xmpp| &mut xmpp.component)
        .enumerate()
    {
        secret(
            &format!("xmpp.component.{index}.secret"),
            &mut component.secret,
            report,
        );
    }
    for (index, user) in config
        .home
        .iter_mut()
        .flat_map(|home| &mut home.user)
        .enumerate()
    {
        secret(
            &format!("home.user.{index}.password"),
            &mut user.password,
            report,
        );
    }
}

/// A directory; unless `required` it may be absent (it is made at start).
fn directory(key: &str, path: Option<&Path>, required: bool, report: &mut Report<'_>) {
    let Some(path) = path else { return };
    if path.is_dir() || (!path.exists() && !required) {
        return;
    }
    let message = if path.exists() {
        format!("\"{}\" is not a directory", path.display())
    } else {
        format!("there is no directory \"{}\"", path.display())
    };
    report.error(key, message, "name a directory, or remove the key");
}

/// Whether the file is there and can be read; if not, says so and what to do.
fn file(key: &str, path: Option<&Path>, fix: &str, report: &mut Report<'_>) -> bool {
    let Some(path) = path else { return false };
    let shown = path.display();
    let message = match fs::File::open(path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_dir() => format!("\"{shown}\" is a directory"),
        Ok(_) => return true,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("there is no file \"{shown}\"")
        }
        Err(error) => format!("\"{shown}\" cannot be read ({error})"),
    };
    report.error(key, message, fix);
    false
}

/// A private key: there, and not for everybody's eyes.
fn private(key: &str, path: Option<&Path>, report: &mut Report<'_>) {
    let fix = "put the private key (PEM) there; for tests, make one with: wvgate init";
    if let Some(path) = path
        && file(key, Some(path), fix, report)
    {
        warn_if_open(key, path, report);
    }
}

/// A secret that must not be guessed.
fn long_secret(key: &str, kept: &mut Secret, report: &mut Report<'_>) {
    secret(key, kept, report);
    if kept.file().is_some() {
        report.long_secret(key, kept);
    }
}

fn secret(key: &str, secret: &mut Secret, report: &mut Report<'_>) {
    let Some(path) = secret.file().map(Path::to_path_buf) else {
        return;
    };
    let shown = path.display();
    let fix = format!("make it with: (umask 077; printf %s SECRET > {shown})");
    if !file(key, Some(&path), &fix, report) {
        return;
    }
    match secret.read() {
        Ok(()) if secret.expose().is_empty() => {
            report.error(key, format!("the file \"{shown}\" is empty"), fix);
        }
        Ok(()) if secret.expose().contains(['\n', '\r']) => {
            let message = format!("the file \"{shown}\" has several lines; a secret is one");
            let fix = format!("leave the secret alone in it, without comments; {fix}");
            report.error(key, message, fix);
        }
        Ok(()) => warn_if_open(key, &path, report),
        Err(error) => report.error(key, format!("\"{shown}\" cannot be read ({error})"), fix),
    }
}

#[cfg(unix)]
fn warn_if_open(key: &str, path: &Path, report: &mut Report<'_>) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o007 != 0 {
        let shown = path.display();
        let message = format!("every user of this machine can read \"{shown}\"");
        report.warn(key, message, format!("chmod 600 {shown}"));
    }
}

#[cfg(not(unix))]
fn warn_if_open(_key: &str, _path: &Path, _report: &mut Report<'_>) {}
