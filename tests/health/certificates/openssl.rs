//! The program `openssl`: it still makes certificates as Pulp 2's hosts have them, and serves them as an old httpd does.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::support::Folder;

/// A folder to which all names of files refer.
pub(crate) struct Openssl(Folder);

/// A server with one of its certificates, until it is dropped.
pub(crate) struct OldServer {
    child: Child,
    port: u16,
}

impl Openssl {
    pub(crate) fn new() -> Self {
        Self(Folder::new())
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.0.join(file)
    }

    /// Runs it with these words.
    #[track_caller]
    pub(crate) fn run(&self, words: &str) {
        let output = Command::new("openssl")
            .args(words.split_whitespace())
            .current_dir(&self.0.0)
            .output()
            .expect("openssl, which scripts/bootstrap installs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {words}: {told}");
    }

    /// `NAME.pem` and `NAME.key`: self-signed, with a common name alone.
    #[track_caller]
    pub(crate) fn certificate(&self, name: &str, common_name: &str, how: &str) {
        self.run(&format!(
            "req -x509 -nodes -days 2 -subj /CN={common_name} -keyout {name}.key -out {name}.pem {how}"
        ));
    }

    /// The same, issued by `authority`.
    #[track_caller]
    pub(crate) fn issued(&self, authority: &str, name: &str, how: &str, extensions: &str) {
        std::fs::write(self.path("extensions"), extensions).expect("extensions");
        self.run(&format!(
            "req -new -nodes -subj /CN=localhost -newkey rsa:2048 -keyout {name}.key -out {name}.csr"
        ));
        self.run(&format!(
            "x509 -req -days 2 -in {name}.csr -CA {authority}.pem -CAkey {authority}.key \
             -CAcreateserial -extfile extensions -out {name}.pem {how}"
        ));
    }

    /// A web server that answers every request; `how` says what else it demands.
    pub(crate) fn server(&self, name: &str, how: &str) -> OldServer {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www"])
            .args(["-cipher", "DEFAULT@SECLEVEL=0"])
            .args(["-cert", &format!("{name}.pem")])
            .args(["-key", &format!("{name}.key")])
            .args(how.split_whitespace())
            .current_dir(&self.0.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl, which scripts/bootstrap installs");
        let told = BufReader::new(child.stdout.as_mut().expect("its words"));
        let port = told
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, port) = line.strip_prefix("ACCEPT ")?.rsplit_once(':')?;
                port.parse().ok()
            })
            .expect("a port");
        OldServer { child, port }
    }
}

impl OldServer {
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}

impl Drop for OldServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
