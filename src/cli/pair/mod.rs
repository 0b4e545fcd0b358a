//! `octobridge pair SERVICE`: walks a person through pairing, in a terminal. One file per service.

mod octoapp;
mod prusa_connect;
mod qr;
mod service;
mod telegram;

use super::{Exit, complain};
use crate::settings::Environment;
use crate::tls;
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
    PrusaConnect(prusa_connect::PairPrusaConnect),
    Telegram(telegram::PairTelegram),
}

impl Pair {
    pub(super) fn execute(self, environment: &Environment) -> Exit {
        tls::install_provider();
        let walked = match self.service {
            Service::OctoApp(octoapp) => octoapp.walk(environment),
            Service::PrusaConnect(connect) => connect.walk(environment),
            Service::Telegram(telegram) => telegram.walk(environment),
        };
        match walked {
            Ok(()) => Exit::Done,
            Err((exit, text)) => {
                complain(&text);
                exit
            }
        }
    }
}
