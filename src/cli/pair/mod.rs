//! `octobridge pair SERVICE`: walks a person through pairing, in a terminal. One file per service.

mod addresses;
mod octoapp;
mod qr;
mod service;
mod telegram;

use super::Exit;
use crate::settings::Environment;
use argh::FromArgs;

/// Pair the printer with a service, step by step
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(subcommand, name = "pair", help_triggers("-h", "--help"))]
pub(super) struct Pair {
    #[argh(subcommand)]
    service: Service,
}

#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(subcommand)]
enum Service {
    OctoApp(octoapp::PairOctoApp),
    Telegram(telegram::PairTelegram),
}

impl Pair {
    pub(super) fn execute(self, environment: &Environment) -> Exit {
        match self.service {
            Service::OctoApp(octoapp) => octoapp.execute(environment),
            Service::Telegram(telegram) => telegram.execute(environment),
        }
    }
}
