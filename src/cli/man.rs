//! `wvgate man`: manual pages, from the commands themselves and from the reference of the
//! configuration.

mod reference;

use std::io;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use super::{Cli, Failure, output};

/// Name of the page about the configuration, of section 5.
const REFERENCE: &str = "wvgate.toml";

#[derive(Args)]
#[command(after_help = "\
Without --dir one page with all commands goes to the output. The package for Debian brings the
pages of --dir.

Examples:
  wvgate man | man -l -
  wvgate man --dir ~/.local/share/man     then: man wvgate, man wvgate-run, man wvgate.toml")]
pub(super) struct Pages {
    /// Write wvgate(1), a page for each command and wvgate.toml(5) below this directory
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub(super) fn man(args: &Pages) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    let failed = |error: io::Error| Failure::Failed(format!("no manual page: {error}"));
    let Some(dir) = &args.dir else {
        return output::print(&whole(&command).map_err(failed)?);
    };
    let write = |section: u8, name: &str, page: &str| {
        let folder = dir.join(format!("man{section}"));
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("{name}.{section}")), page)
    };
    let written = || {
        write(1, "wvgate", &overview(&command)?)?;
        for sub in subcommands(&command) {
            write(1, &format!("wvgate-{}", sub.get_name()), &page_of(sub)?)?;
        }
        write(5, REFERENCE, &reference::page())
    };
    written().map_err(|error| {
        Failure::Failed(format!(
            "{}: the manual cannot be written: {error}",
            dir.display()
        ))
    })
}

/// The commands, without `help`.
fn subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    let all = command.get_subcommands();
    all.filter(|sub| sub.get_name() != "help")
}

fn page(command: &Command) -> Man {
    Man::new(command.clone())
        .source(concat!("wvgate ", env!("CARGO_PKG_VERSION")))
        .manual("wvgate")
}

/// One page for the program and all its commands.
fn whole(command: &Command) -> io::Result<String> {
    let mut text = Vec::new();
    page(command).render(&mut text)?;
    for sub in subcommands(command) {
        nested(sub, &mut text)?;
    }
    // The sections of a command stand below its heading.
    Ok(below_headings(&String::from_utf8_lossy(&text)))
}

/// wvgate(1): what there is, and where.
fn overview(command: &Command) -> io::Result<String> {
    let mut text = Vec::new();
    page(command).render(&mut text)?;
    let mut text = String::from_utf8_lossy(&text).into_owned();
    text.push_str(OVERVIEW);
    text.push_str(".SH \"SEE ALSO\"\n");
    let names = subcommands(command).map(|sub| format!("wvgate-{}", sub.get_name()));
    for name in names {
        text += &format!("\\fB{}\\fR(1),\n", reference::escaped(&name));
    }
    text += &format!("\\fB{REFERENCE}\\fR(5)\n");
    Ok(text)
}

/// The page of one command, those below it included.
fn page_of(command: &Command) -> io::Result<String> {
    let mut text = Vec::new();
    page(command).render(&mut text)?;
    for sub in subcommands(command) {
        nested(sub, &mut text)?;
    }
    let mut text = below_headings(&String::from_utf8_lossy(&text));
    // Commands below it have no page of their own.
    for sub in command.get_subcommands() {
        let words = sub.get_bin_name().unwrap_or(sub.get_name());
        let page = reference::escaped(&words.replace(' ', "-")) + "(1)";
        text = text.replace(&page, words);
    }
    text += &format!(".SH \"SEE ALSO\"\n\\fBwvgate\\fR(1), \\fB{REFERENCE}\\fR(5)\n");
    Ok(text)
}

/// A command within the page of another one, and those below it.
fn nested(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    page.extend(format!(".SH \"{}\"\n", name.to_uppercase()).into_bytes());
    let man = Man::new(command.clone());
    man.render_description_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_options_section(page)?;
    man.render_extra_section(page)?;
    for sub in subcommands(command) {
        nested(sub, page)?;
    }
    Ok(())
}

/// Of a nested command the heading stays a section, and what belongs to it goes below.
fn below_headings(page: &str) -> String {
    let mut in_command = false;
    let mut text = String::with_capacity(page.len());
    for line in page.lines() {
        let is_heading = line.starts_with(".SH ");
        let is_command = line.starts_with(".SH \"WVGATE ");
        in_command |= is_command;
        if is_heading && in_command && !is_command {
            text.push_str(&line.replacen(".SH ", ".SS ", 1));
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}

const OVERVIEW: &str = r".SH FILES
.TP
\fBwvgate.toml\fR, \fB/etc/wvgate/wvgate.toml\fR
The configuration, the first of them that is there: see
.BR wvgate.toml (5).
.TP
\fBpeers/\fIDOMAIN\fB.pem\fR
Beside the configuration: whom a peer is trusted by that was added by a page.
.TP
\fB/var/lib/wvgate\fR
The store of a node that was installed as a service.
.TP
\fB/etc/default/wvgate\fR
The environment of the service.
.SH ENVIRONMENT
.TP
\fBWVGATE_CONFIG\fR, \fBWVGATE_SOCKET\fR
As \-\-config and \-\-socket.
.TP
\fBWVGATE_CONFIG_\fISECTION\fB__\fIKEY\fR
A value of the configuration, before that of the file.
.TP
\fBWVGATE_PASSWORD\fR
The password of a user, for commands that would ask for it.
.TP
\fBRUST_LOG\fR
Directives for the log, before those of the configuration.
.TP
\fBNOTIFY_SOCKET\fR, \fBWATCHDOG_USEC\fR
Where a service manager hears that the node has started, reloads, ends; and how soon it wants to
hear again that the node turns round.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        let mut command = Cli::command();
        command.build();
        command
    }

    #[test]
    fn every_command_has_a_page_that_names_its_options_and_those_of_commands_below() {
        let command = command();
        for sub in subcommands(&command) {
            let text = page_of(sub).unwrap();
            let title = format!(".TH wvgate-{} 1 ", sub.get_name());
            assert!(text.contains(&title), "{}", sub.get_name());
            for option in sub.get_arguments().filter(|option| !option.is_hide_set()) {
                if let Some(long) = option.get_long() {
                    let long = reference::escaped(&format!("--{long}"));
                    assert!(text.contains(&long), "{} {long}", sub.get_name());
                }
            }
        }
        let user = subcommands(&command).find(|sub| sub.get_name() == "user");
        let text = page_of(user.unwrap()).unwrap();
        assert!(text.contains("\n.SH \"WVGATE USER IMPORT\"\n"), "{text}");
        assert!(text.contains("\nwvgate user import\n") && !text.contains("import(1)"));
        assert!(text.contains("\n.SS SYNOPSIS\n"));
        assert!(text.contains("\n.SH SYNOPSIS\n"));
    }

    #[test]
    fn the_overview_leads_to_every_page() {
        let command = command();
        let text = overview(&command).unwrap();
        assert!(text.starts_with(".ie") && text.contains("\n.TH wvgate 1 "));
        for sub in subcommands(&command) {
            let name = reference::escaped(&format!("wvgate-{}", sub.get_name()));
            assert!(text.contains(&format!("\\fB{name}\\fR(1)")), "{name}");
        }
        assert!(text.contains("wvgate.toml (5)") && !text.contains("WVGATE RUN"));
    }
}
