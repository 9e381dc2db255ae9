//! The command `mi`: what is this model, and what does it predict.
#![forbid(unsafe_code)]

mod block;
mod cells;
mod columns;
mod failure;
mod inspect;
mod network;
mod output;
mod predict;
mod records;
mod source;

use clap::{CommandFactory, Parser, Subcommand};
use failure::{Failure, printable};
use std::io::Write;
use std::process::ExitCode;

/// Reads trained models and predicts the same bits as the library that trained them.
#[derive(Debug, Parser)]
#[command(name = "mi", version, after_help = "Exit codes: 0 success, 1 failure (one line on stderr), 2 wrong usage.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what a model file, or every model of a training run, is
    Inspect(inspect::Arguments),
    /// Predict the rows of a CSV
    Predict(predict::Arguments),
}

fn main() -> ExitCode {
    let (name, done) = match Cli::parse().command {
        Command::Inspect(arguments) => ("inspect", inspect::run(&arguments)),
        Command::Predict(arguments) => ("predict", predict::run(&arguments)),
    };
    match done {
        // Whoever closed the pipe has all that was wanted of us.
        Ok(()) | Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(Failure::Error(error)) => {
            let _ = writeln!(std::io::stderr(), "mi: {}", printable(error.message()));
            ExitCode::FAILURE
        }
        Err(Failure::Usage(sentence)) => {
            let mut cli = Cli::command();
            // Only a built command knows that its subcommands are called after it.
            cli.build();
            let command = cli.find_subcommand_mut(name).expect("it was just parsed");
            command.error(clap::error::ErrorKind::ArgumentConflict, printable(&sentence)).exit()
        }
    }
}
