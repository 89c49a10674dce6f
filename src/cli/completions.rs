//! `wvgate completions` and `wvgate man`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Failure, output};

#[derive(Args)]
#[command(after_help = "\
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

/// One page for the program and all its commands.
pub(super) fn man() -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let failed = |error: std::io::Error| Failure::Failed(format!("no manual page: {error}"));
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .map_err(failed)?;
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        let name = sub.get_name().to_uppercase();
        page.extend(format!(".SH \"WVGATE {name}\"\n").into_bytes());
        let sub = clap_mangen::Man::new(sub.clone());
        sub.render_description_section(&mut page).map_err(failed)?;
        sub.render_synopsis_section(&mut page).map_err(failed)?;
        sub.render_options_section(&mut page).map_err(failed)?;
        sub.render_extra_section(&mut page).map_err(failed)?;
    }
    // The sections of a command stand below its heading.
    let page = String::from_utf8_lossy(&page).into_owned();
    output::print(&below_headings(&page))
}

fn below_headings(page: &str) -> String {
    let mut in_command = false;
    let mut text = String::with_capacity(page.len());
    for line in page.lines() {
        let is_heading = line.starts_with(".SH ");
        in_command |= line.starts_with(".SH \"WVGATE ");
        if is_heading && in_command && !line.starts_with(".SH \"WVGATE ") {
            text.push_str(&line.replacen(".SH ", ".SS ", 1));
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}
