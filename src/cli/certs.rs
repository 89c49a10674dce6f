//! `wvgate certs`: development certificates.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::output;
use crate::http::devcerts::{self, DevFile, Wanted};
use crate::node::clock::Clock;

#[derive(Args)]
#[command(after_help = "\
Makes an authority (ca.pem, ca.key) in DIR, unless there is one, and for each NAME a
certificate NAME.pem and key NAME.key signed by it, good for both servers and clients.
For trying out and for tests; in production use certificates that your peers trust.

Examples:
  wvgate certs run/certs relay.test village.test,127.0.0.1,localhost")]
pub(super) struct Certs {
    /// The folder where they are written
    dir: PathBuf,
    /// Host name, with further names or addresses after commas
    #[arg(required = true, value_name = "NAME[,ALSO...]")]
    names: Vec<String>,
    /// Make certificates anew that are there already (never the authority)
    #[arg(long)]
    overwrite: bool,
}

pub(super) fn certs(args: &Certs) -> Result<(), Failure> {
    let wanted: Result<Vec<Wanted>, _> =
        args.names.iter().map(|name| Wanted::parse(name)).collect();
    let wanted = wanted.map_err(|error| Failure::Usage(format!("wvgate: {error}")))?;
    let files = devcerts::generate(&args.dir, &wanted, args.overwrite, Clock::wall())
        .map_err(|error| Failure::Failed(error.to_string()))?;
    for file in files {
        match file {
            DevFile::Written(path) => output::line(format!("made  {}", path.display()))?,
            DevFile::Kept(path) => output::line(format!("kept  {}", path.display()))?,
        }
    }
    Ok(())
}
