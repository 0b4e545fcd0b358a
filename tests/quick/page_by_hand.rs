//! The set-up page off a printer, as in a container: there is no settings file that it could write, so it says what is to
//! be written where. The real program, and a stand-in for the Bot API that plays the people with their phones.

use crate::support::ending::end;
use crate::support::ports::free_port;
use crate::support::telegram::Telegram;
use crate::support::visitor::Visitor;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const TOKEN: &str = "123:SECRETTOKEN";
const ADA: i64 = 5;

/// A service that runs without a printer's folders. It is ended when it is dropped.
struct Container {
    child: Child,
    visitor: Visitor,
}

impl Container {
    fn start(folder: &Path, telegram: &Telegram, more: &[(&str, &str)]) -> Self {
        let port = free_port();
        let child = Command::new(env!("CARGO_BIN_EXE_octobridge"))
            .arg("run")
            .env_clear()
            .env("PRINTER_DATA", folder.join("none"))
            .env("DATA_DIR", folder.join("data"))
            .env("OCTOBRIDGE_RUN_DIR", folder.join("run"))
            .env("PRINTER_ID", "Shed")
            // Nobody is there: what the page is for goes without a printer.
            .env("WS_URL", "ws://127.0.0.1:9/x")
            .env("TELEGRAM_API_URL", telegram.url())
            .env("BIND", "127.0.0.1")
            .env("PORT", port.to_string())
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, visitor: Visitor::of((Ipv4Addr::LOCALHOST, port).into()) }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

#[test]
fn what_cannot_be_written_is_named_with_its_place() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let folder = tempfile::tempdir().unwrap();
    let container = Container::start(folder.path(), &telegram, &[]);

    // The token is kept; the chat is for whoever starts the container.
    container.visitor.send(&format!("bridge=telegram&do=pair&token={TOKEN}"));
    let page = container.visitor.wait_for("?start=");
    let (_, rest) = page.split_once("?start=").unwrap();
    let code: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    telegram.say(ADA, ADA, &format!("/start {code}"));
    container.visitor.wait_for("sent the code");
    container.visitor.send("bridge=telegram&do=choose+0&control=yes");
    let page = container.visitor.wait_for("from now on");
    let note = "Note: There is no settings file here. Give the program this in its environment, and start it again:\
                <br>  TELEGRAM_CHAT_ID=5<br>  TELEGRAM_ALLOWED_CHATS=5<br>  TELEGRAM_ALLOWED_USERS=5</p>";
    assert!(page.contains(note), "{page}");
    assert!(!page.contains("SECRET"), "{page}");
    let token = folder.path().join("data/telegram_bot_token");
    assert_eq!(std::fs::read_to_string(&token).unwrap(), TOKEN);
    assert_eq!(std::fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);

    // Switches have no file either.
    container.visitor.send("bridge=telegram&do=on");
    container.visitor.wait_for(
        "There is no settings file here. Put TELEGRAM_CHAT_ID into the program's environment, and start it again.",
    );
    container.visitor.send("bridge=octoapp&do=on");
    let file = folder.path().join("none/config/extended/extended2.cfg");
    let lines = "<br>  [octoapp]<br>  enabled: true</p>";
    container
        .visitor
        .wait_for(&format!("There is no settings file here. Write this into {}:{lines}", file.display()));
    // A file of Connect's brings a server, which has a variable, and switches the bridge on, which has none.
    let ini = "%5Bservice::connect%5D%0Ahostname=connect.example.org%0Atls=1%0Aport=443%0Atoken=SECRETSECRETSECRET20";
    container.visitor.send(&format!("bridge=prusa_connect&do=import&ini={ini}"));
    let page = container.visitor.wait_for("The token is taken.");
    let note = format!(
        "and start it again:<br>  PRUSA_CONNECT_URL=https://connect.example.org:443<br> Write this into {}:\
         <br>  [prusa_connect]<br>  enabled: true</p>",
        file.display()
    );
    assert!(page.contains(&note), "{page}");
    assert!(!page.contains("SECRET"), "{page}");
    assert!(!file.exists());
    drop(container);

    // What was said is right: by it, the bridge works.
    let container = Container::start(folder.path(), &telegram, &[("TELEGRAM_CHAT_ID", "5")]);
    container.visitor.send("bridge=telegram&do=test");
    container.visitor.wait_for("A test message was taken");
    assert!(container.visitor.page().contains("aria-checked=\"true\""), "{}", container.visitor.page());
    container.visitor.send("bridge=telegram&do=off");
    container.visitor.wait_for("Take TELEGRAM_CHAT_ID out of the program's environment, and start it again.");
}
