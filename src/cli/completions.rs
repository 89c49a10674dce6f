//! `wvgate completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Failure, output};

#[derive(Args)]
#[command(after_help = "\
The package for Debian brings those for bash, zsh and fish.

Examples:
  wvgate completions bash > /etc/bash_completion.d/wvgate
  wvgate completions zsh  > ~/.zfunc/_wvgate")]
pub(super) struct Completions {
    /// Which shell
    shell: Shell,
}

pub(super) fn completions(args: &Completions) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wvgate", &mut text);
    output::print(&String::from_utf8_lossy(&text))
}
