//! wvgate: see `wvgate --help`.

/// A relay allocates and frees a dozen small texts for each transaction, on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    wvgate::cli::main()
}
