//! What a node does for the Pods of a Kubernetes namespace, on a control plane of the test's own: it runs the
//! operator's container as a process, with the container's own arguments, mounts and ServiceAccount, and tells
//! when it is ready. What another container is meant to do, the test does.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{PersistentVolumeClaim, Pod, PodSpec, Secret, ServiceAccount, Volume},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{operator::WORKS, space::client};

/// How often it looks.
const PERIOD: Duration = Duration::from_millis(100);
/// What it is to listen on in a Pod, and what for: here several operators run on one machine, and nobody asks.
const ADDRESSES: [&str; 2] = ["--metrics-bind-address", "--health-probe-bind-address"];

/// A node; dropped, it is gone with all that runs on it.
pub struct Node {
    folder: PathBuf,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    /// A node for the Pods of this namespace; volumes and logs are in the folder.
    pub fn start(kubeconfig: &Path, namespace: &str, folder: &Path) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let work = Work {
            kubeconfig: kubeconfig.into(),
            namespace: namespace.into(),
            folder: folder.into(),
        };
        // A thread of its own: tests block theirs while commands run.
        let thread = thread::spawn({
            let is_over = is_over.clone();
            move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(work.until(&is_over));
            }
        });
        Self { folder: folder.into(), is_over, thread: Some(thread) }
    }

    /// The folder that stands for a volume.
    pub fn claim(&self, name: &str) -> PathBuf {
        claim(&self.folder, name)
    }

    /// What the operators logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("operator.log")).unwrap_or_default()
    }

    /// The token of the operator that was started last.
    pub fn token(&self) -> String {
        fs::read_to_string(self.folder.join("token")).unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().rev().take(40).collect();
            eprintln!("the operator's log ends:");
            lines.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

fn claim(folder: &Path, name: &str) -> PathBuf {
    let claim = folder.join("claims").join(name);
    fs::create_dir_all(&claim).unwrap();
    claim
}

struct Work {
    kubeconfig: PathBuf,
    namespace: String,
    folder: PathBuf,
}

/// A Pod on the node.
struct Running {
    operator: Option<Process>,
    is_ready: bool,
}

/// The operator.
struct Process {
    command: Command,
    child: Child,
    log: PathBuf,
    from: usize,
}

impl Process {
    fn start(mut command: Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let from = file.metadata().unwrap().len().try_into().unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let child = command.spawn().unwrap();
        Self { command, child, log: log.into(), from }
    }

    fn works(&self) -> bool {
        fs::read_to_string(&self.log).unwrap().split_off(self.from).contains(WORKS)
    }

    /// Starts it again if it has ended.
    fn look(&mut self) {
        if self.child.try_wait().unwrap().is_some() {
            self.child = self.command.spawn().unwrap();
        }
    }
}

impl Drop for Process {
    /// In order, as the kubelet ends it.
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

impl Work {
    async fn until(self, is_over: &AtomicBool) {
        let client = client(&self.kubeconfig).await;
        let mut pods = BTreeMap::new();
        while !is_over.load(Ordering::Relaxed) {
            // What could not be done is done at the next look.
            if let Err(error) = self.look(&client, &mut pods).await {
                eprintln!("the node: {error}");
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn look(
        &self,
        client: &Client,
        running: &mut BTreeMap<String, Running>,
    ) -> kube::Result<()> {
        self.let_claims_go(client).await?;
        let api = Api::<Pod>::namespaced(client.clone(), &self.namespace);
        let pods = api.list(&ListParams::default()).await?.items;
        running.retain(|uid, _| pods.iter().any(|pod| pod.metadata.uid.as_ref() == Some(uid)));
        for pod in pods {
            let (name, uid) = (pod.name_any(), pod.uid().unwrap());
            let spec = pod.spec.clone().unwrap();
            if pod.metadata.deletion_timestamp.is_some() {
                running.remove(&uid);
                api.delete(&name, &DeleteParams::default().grace_period(0)).await?;
                continue;
            }
            self.write_secrets(client, &uid, &spec).await?;
            if let Some(running) = running.get_mut(&uid) {
                let is_ready = running.operator.as_ref().is_none_or(Process::works);
                if is_ready && !running.is_ready {
                    let ready = json!({"status": {"phase": "Running", "conditions": [
                        {"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"}
                    ]}});
                    let patch = Patch::Merge(ready);
                    api.patch_status(&name, &PatchParams::default(), &patch).await?;
                    running.is_ready = true;
                }
                running.operator.iter_mut().for_each(Process::look);
                continue;
            }
            if spec.node_name.is_none() {
                let binding = json!({
                    "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                    "target": {"apiVersion": "v1", "kind": "Node", "name": "of-the-test"},
                });
                let _: Value = api
                    .create_subresource("binding", &name, &PostParams::default(), &binding)
                    .await?;
            }
            let operator = self.operator(client, &name, &uid, &spec).await?;
            running.insert(uid, Running { operator, is_ready: false });
        }
        Ok(())
    }

    /// Claims that are deleted go, as the controller sees to that this control plane does not have.
    async fn let_claims_go(&self, client: &Client) -> kube::Result<()> {
        let api = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &self.namespace);
        for claim in api.list(&ListParams::default()).await?.items {
            if claim.metadata.deletion_timestamp.is_some() {
                let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
                api.patch(&claim.name_any(), &PatchParams::default(), &free).await?;
            }
        }
        Ok(())
    }

    /// Where a volume is.
    fn volume(&self, uid: &str, volume: &Volume) -> PathBuf {
        match &volume.persistent_volume_claim {
            Some(source) => claim(&self.folder, &source.claim_name),
            None => {
                let folder = self.folder.join(uid).join(&volume.name);
                fs::create_dir_all(&folder).unwrap();
                folder
            }
        }
    }

    /// What Secrets hold is in their volumes, and follows them.
    async fn write_secrets(&self, client: &Client, uid: &str, spec: &PodSpec) -> kube::Result<()> {
        let api = Api::<Secret>::namespaced(client.clone(), &self.namespace);
        for volume in spec.volumes.iter().flatten() {
            let Some(name) = volume.secret.as_ref().and_then(|it| it.secret_name.as_ref()) else {
                continue;
            };
            let folder = self.volume(uid, volume);
            for (file, content) in api.get(name).await?.data.unwrap_or_default() {
                // Whole at every moment.
                fs::write(folder.join(".new"), content.0).unwrap();
                fs::rename(folder.join(".new"), folder.join(file)).unwrap();
            }
        }
        Ok(())
    }

    /// Starts the operator, if the Pod is one of it.
    async fn operator(
        &self,
        client: &Client,
        name: &str,
        uid: &str,
        spec: &PodSpec,
    ) -> kube::Result<Option<Process>> {
        let container = &spec.containers[0];
        let arguments = container.args.clone().unwrap_or_default();
        if arguments.first().map(String::as_str) != Some("run") {
            return Ok(None);
        }
        let account = spec.service_account_name.clone().unwrap_or_default();
        let kubeconfig = self.folder.join(format!("{uid}.kubeconfig"));
        let token = self.token(client, &account, name, uid).await?;
        fs::write(self.folder.join("token"), &token).unwrap();
        self.write_kubeconfig(&kubeconfig, &token);
        let mut places = Vec::new();
        for mount in container.volume_mounts.iter().flatten() {
            let is_meant = |volume: &&Volume| volume.name == mount.name;
            let volume = spec.volumes.iter().flatten().find(is_meant).unwrap();
            // No argument names a file in it.
            if mount.mount_path != "/tmp" {
                places.push((mount.mount_path.clone(), self.volume(uid, volume)));
            }
        }
        let here = |argument: String| {
            let place = |text: String, (mount, folder): &(String, PathBuf)| {
                text.replace(mount, folder.to_str().unwrap())
            };
            match ADDRESSES.iter().find(|flag| argument.starts_with(*flag)) {
                Some(flag) => format!("{flag}=0"),
                None => places.iter().fold(argument, place),
            }
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyreeve"));
        command.args(arguments.into_iter().map(here));
        for variable in container.env.iter().flatten() {
            let field = variable.value_from.as_ref().and_then(|from| from.field_ref.as_ref());
            let value = match field.map(|field| field.field_path.as_str()) {
                Some("metadata.namespace") => self.namespace.clone(),
                Some("metadata.name") => name.to_owned(),
                Some(other) => panic!("this node knows no field {other}"),
                None => variable.value.clone().unwrap_or_default(),
            };
            command.env(&variable.name, value);
        }
        command.env("KUBECONFIG", kubeconfig).env("HOME", &self.folder);
        Ok(Some(Process::start(command, &self.folder.join("operator.log"))))
    }

    /// A token that ends with the Pod, as the kubelet asks for it.
    async fn token(
        &self,
        client: &Client,
        account: &str,
        pod: &str,
        uid: &str,
    ) -> kube::Result<String> {
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: None,
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".into()),
                    kind: Some("Pod".into()),
                    name: Some(pod.into()),
                    uid: Some(uid.into()),
                }),
                expiration_seconds: Some(3600),
            }),
            ..TokenRequest::default()
        };
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), &self.namespace);
        let made = accounts.create_token_request(account, &PostParams::default(), &request).await?;
        Ok(made.status.unwrap().token.unwrap())
    }

    fn write_kubeconfig(&self, file: &Path, token: &str) {
        let text = fs::read_to_string(&self.kubeconfig).unwrap();
        let mut kubeconfig: Value = serde_saphyr::from_str(&text).unwrap();
        kubeconfig["users"][0]["user"] = json!({"token": token});
        fs::write(file, kubeconfig.to_string()).unwrap();
    }
}
