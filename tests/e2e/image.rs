//! The image: built by the real Dockerfile's last stage, run as the chart's Pod runs it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::UdpSocket,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, OnceLock},
};

use keyreeve::api::Tenant;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Space, eventually, run, setting};

const PODMAN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dev/podman.sh");

#[tokio::test]
async fn in_its_image_the_operator_asks_dns_for_names() {
    let space = Space::new("image-dns").await;
    let names = NameServer::start("api.keyreeve.test");
    let resolv_conf = space.folder().join("resolv.conf");
    fs::write(&resolv_conf, format!("nameserver {}\n", names.address)).unwrap();
    let mount = format!("--volume={}:/etc/resolv.conf:ro", resolv_conf.display());
    let off = ["--metrics-bind-address", "0", "--health-probe-bind-address", "0"];
    let _container = Container::start(&space, "api.keyreeve.test", &[&mount], &off);
    space.create::<Tenant>("acme", json!({})).await;
    space.ready("acme").await;
    let asked = names.asked.lock().unwrap().clone();
    assert!(asked.contains(&"api.keyreeve.test".to_owned()), "{asked:?}");
}

#[tokio::test]
async fn the_image_holds_what_the_operator_needs_and_nothing_else() {
    let inspected = podman(&["image", "inspect", image()]);
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let config = &inspected[0]["Config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], json!(["/usr/bin/keyreeve"]));
    assert_eq!(config["Cmd"], json!(["run"]));
    assert_eq!(config["Labels"]["org.opencontainers.image.title"], "keyreeve");
    assert_eq!(config["Labels"]["org.opencontainers.image.licenses"], "Apache-2.0");

    let (libraries, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        files().into_iter().partition(|(path, _)| path.contains(".so."));
    let expected = [
        ("etc/group", "-rw-r--r-- 0/0"),
        ("etc/nsswitch.conf", "-rw-r--r-- 0/0"),
        ("etc/passwd", "-rw-r--r-- 0/0"),
        ("etc/ssl/certs/ca-certificates.crt", "-rw-r--r-- 0/0"),
        ("tmp/", "drwxrwxrwt 0/0"),
        ("usr/bin/keyreeve", "-rwxr-xr-x 0/0"),
        ("var/lib/keyreeve/", "drwxr-x--- 65532/65532"),
    ]
    .map(|(path, is)| (path.to_owned(), is.to_owned()));
    assert_eq!(others, BTreeMap::from(expected));
    for (path, is) in &libraries {
        let (folder, name) = path.rsplit_once('/').unwrap();
        let known = ["ld-linux", "libc.so.", "libgcc_s.so.", "libm.so."];
        assert!(known.iter().any(|known| name.starts_with(known)), "{path}");
        assert!(["lib", "lib64", "usr"].contains(&folder.split('/').next().unwrap()), "{path}");
        assert_eq!(is, "-rwxr-xr-x 0/0", "{path}");
    }
    for needed in ["/ld-linux", "/libc.so."] {
        assert!(libraries.keys().any(|path| path.contains(needed)), "{needed}: {libraries:?}");
    }
}

/// The name of the image of the operator under test, built once.
pub fn image() -> &'static str {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/dev/image.sh");
        run(script, &["--binary", env!("CARGO_BIN_EXE_keyreeve")]);
    });
    "keyreeve:debug"
}

pub fn podman(arguments: &[&str]) -> String {
    run(PODMAN, arguments)
}

/// What the image holds, with mode and owner; of folders those alone that are not merely on the way.
fn files() -> BTreeMap<String, String> {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    podman(&["save", "--output", &path("image.tar"), image()]);
    run("tar", &["-xf", &path("image.tar"), "-C", &path("")]);
    let manifest = fs::read_to_string(path("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let mut files = BTreeMap::new();
    for layer in manifest[0]["Layers"].as_array().unwrap() {
        let list = run("tar", &["--numeric-owner", "-tvf", &path(layer.as_str().unwrap())]);
        for line in list.lines() {
            let columns: Vec<_> = line.split_whitespace().collect();
            let [mode, owner, _size, _date, _time, path] = columns[..] else {
                panic!("this is no plain file: {line}")
            };
            files.insert(path.to_owned(), format!("{mode} {owner}"));
        }
    }
    let paths: Vec<_> = files.keys().cloned().collect();
    files.retain(|folder, is| {
        let leads_on = paths.iter().any(|path| path != folder && path.starts_with(folder));
        !(folder.ends_with('/') && leads_on && is == "drwxr-xr-x 0/0")
    });
    files
}

/// The operator in a container; dropped, it is killed.
pub struct Container {
    pub name: String,
    child: Child,
    log: PathBuf,
}

impl Container {
    /// Starts it as the chart's Pod is: as 65532 without capabilities, on a read-only root with a
    /// writable volume for the store and a writable /tmp. The API server gets the given name.
    fn start(space: &Space, server: &str, flags: &[&str], arguments: &[&str]) -> Self {
        let image = image();
        let kubeconfig = space.folder().join("kubeconfig");
        let operators = fs::read_to_string(setting("KEYREEVE_TEST_OPERATOR_KUBECONFIG")).unwrap();
        // Its certificate is for `localhost`, whatever it is called here.
        let named = format!("tls-server-name: localhost, server: \"https://{server}:");
        assert!(operators.contains("server: \"https://127.0.0.1:"), "{operators}");
        let renamed = operators.replace("server: \"https://127.0.0.1:", &named);
        fs::write(&kubeconfig, renamed).unwrap();
        let command = |podman: &mut Command| {
            podman
                .args(["--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp"])
                .args(["--user=65532:65532", "--cap-drop=all", "--security-opt=no-new-privileges"])
                .args(["--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000"])
                .args(["--volume=/var/lib/keyreeve"])
                .arg(format!("--volume={}:/kubeconfig:ro", kubeconfig.display()))
                .args(["--env=KUBECONFIG=/kubeconfig", "--env=POD_NAMESPACE=keyreeve-system"])
                .arg(format!("--env=KEYREEVE_KEYSTORE_NAMESPACE={}", space.namespace))
                .args(flags)
                .args([image, "run", "--watch-namespace", &space.namespace])
                .args(arguments);
        };
        Self::run(space, command)
    }

    /// Starts one on this machine's network, with more flags of `podman run`, the image and its arguments.
    pub fn run(space: &Space, more: impl FnOnce(&mut Command)) -> Self {
        let log = space.folder().join("container.log");
        let name = space.namespace.clone();
        let mut command = Command::new(PODMAN);
        command
            .args(["run", "--rm", "--name", &name, "--network=host"])
            // Should this test be killed, the container still ends.
            .args(["--timeout", "300"]);
        more(&mut command);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { name, child, log }
    }

    /// SIGTERM, as a node sends it, and how it ended.
    pub async fn stop(self) -> ExitStatus {
        podman(&["stop", "--time", "30", &self.name]);
        self.ends().await
    }

    /// How it ended by itself.
    pub async fn ends(mut self) -> ExitStatus {
        eventually("podman ends", async || self.child.try_wait().unwrap().is_some()).await;
        self.child.wait().unwrap()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let forced = ["rm", "--force", "--volumes", "--time", "0", "--ignore", &self.name];
        let _ = Command::new(PODMAN).args(forced).stdout(Stdio::null()).status();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the container's log:\n{}", fs::read_to_string(&self.log).unwrap());
        }
    }
}

/// A name server on loopback that knows one name: the address of this machine.
struct NameServer {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    fn start(known: &'static str) -> Self {
        // All of 127.0.0.0/8 is loopback: an address that is nobody else's.
        let [high, low] = u16::try_from(std::process::id() % 65_536).unwrap().to_be_bytes();
        let address = format!("127.53.{high}.{low}");
        let socket = UdpSocket::bind((address.as_str(), 53)).unwrap_or_else(|error| {
            panic!(
                "no name server can listen on {address}:53, and resolv.conf knows no other port: {error}. \
                 Run it as root, or allow it by `sysctl net.ipv4.ip_unprivileged_port_start=53`"
            )
        });
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        // It ends with the tests.
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                let (name, answer) = answer(&query[..length], known);
                heard.lock().unwrap().push(name);
                let _ = socket.send_to(&answer, from);
            }
        });
        Self { address, asked }
    }
}

/// The name that is asked for, and the answer (RFC 1035, section 4).
fn answer(query: &[u8], known: &str) -> (String, Vec<u8>) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(str::from_utf8(&query[at + 1..end]).unwrap());
        at = end;
    }
    let question = &query[12..at + 5];
    let name = labels.join(".");
    let is_address = query[at + 1..at + 3] == [0, 1];
    let found = u8::from(name == known && is_address);
    let code = if name == known { 0 } else { 3 };
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, 0x80 | code, 0, 1, 0, found, 0, 0, 0, 0]);
    answer.extend(question);
    if found == 1 {
        // The name of the question, an address of the Internet, for no time, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
    }
    (name, answer)
}
