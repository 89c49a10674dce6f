//! wvgate: see `wvgate --help`.

fn main() -> std::process::ExitCode {
    wvgate::cli::main()
}
