# SPDX-License-Identifier: Apache-2.0
"""helm accepts the chart, and what it renders fits Kubernetes' schemas and what Octet needs.

Where helm is not installed only deploy/kubernetes is checked, and that is told as skipped, or as
failed with OCTET_REQUIRE_ALL=1: `make check-all` builds helm into build/tools/bin.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

from tests.support.certificates import SERVER_NAMES, Authority

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/octet"
HELM = shutil.which("helm", path=str(ROOT / "build/tools/bin")) or shutil.which("helm")
# The oldest that the chart allows, and the newest whose schemas are there.
KUBERNETES = ("1.25", "1.37")
# Settings, and the kinds that must come out beyond the ones that always do.
ALWAYS = {"Deployment", "Service", "ServiceAccount"}
CASES = [
    ([], {"PodDisruptionBudget"}),
    (["autoscaling.enabled=true", "podDisruptionBudget.minAvailable=0"],
     {"HorizontalPodAutoscaler"}),
    (["models.persistentVolumeClaim=claim", "models.subPath=vision", "kernelSet=avx2",
      "extraArguments={--max-request-bytes,16MiB}", "service.headless=false",
      "image.tag=1", "imagePullSecrets[0].name=registry", "nodeSelector.disk=ssd",
      "tolerations[0].operator=Exists"], {"PodDisruptionBudget"}),
    (["models.newClaim.create=true", "models.newClaim.storageClassName=fast",
      "serviceAccount.create=false", "podDisruptionBudget.minAvailable=0", "drainDelaySeconds=60",
      "terminationGracePeriodSeconds=90", "topologySpread=false", "podLabels.team=vision",
      "podAnnotations.note=yes"], {"PersistentVolumeClaim"}),
    # A kind that Kubernetes itself does not define: it only has to render.
    (["serviceMonitor.enabled=true"], {"PodDisruptionBudget", "ServiceMonitor"}),
    (["allowManagement=true", "log.format=json", "log.level=debug"], {"PodDisruptionBudget"}),
    (["tls.secret=tls"], {"PodDisruptionBudget"}),
    (["tls.secret=tls", "tls.http=false", "tls.metrics=false", "tracing.sample=0.5",
      "tracing.endpoint=http://collector:4318"], {"PodDisruptionBudget", "ConfigMap"}),
    (["tls.secret=tls", "tls.clientCaSecret=ca", "access.secret=access"],
     {"PodDisruptionBudget", "ConfigMap"}),
    (["tls.secret=tls", "tls.clientCaSecret=ca", "access.secret=access",
      "access.anonymous.metrics=read", "config.log_requests.errors=true",
      "config.access.grpc.own_machine=infer", "models.persistentVolumeClaim=claim",
      "serviceMonitor.enabled=true", "serviceMonitor.tlsConfig.serverName=octet"],
     {"PodDisruptionBudget", "ConfigMap", "ServiceMonitor"}),
]
# What those make of the configuration file.
CONFIGURED = {
    "tls.http=false": {"access": {"http": {"tls": False}, "metrics": {"tls": False}},
                       "tracing": {"endpoint": "http://collector:4318", "service_name": "octet",
                                   "sample": 0.5}},
    # The kubelet has no certificate, and nobody without one has a role.
    "tls.clientCaSecret=ca": {"access": {"grpc": {"anonymous": "none"},
                                         "http": {"require_client_certificate": False,
                                                  "anonymous": "none"},
                                         "metrics": {"anonymous": "none"}}},
    "access.anonymous.metrics=read": {
        "access": {"grpc": {"anonymous": "none", "own_machine": "infer"},
                   "http": {"anonymous": "none", "require_client_certificate": False},
                   "metrics": {"anonymous": "read"}},
        "log_requests": {"errors": True}},
}
# What the chart must refuse, and what its message must say.
REFUSED = [
    (["terminationGracePeriodSeconds=10"], "got 10, wants more than drainDelaySeconds, 10"),
    (["models.newClaim.create=true", "models.persistentVolumeClaim=claim"], "wants one of them"),
    (["tls.clientCaSecret=ca"], "got clientCaSecret, wants secret too"),
    (["tls.clientCaSecret=ca", "tls.secret=tls"], "wants access.secret too"),
    (["allowManagement=true", "access.secret=access"], "wants false beside access.secret"),
    (["config.access.protect_health=true"], "the kubelet, which probes, has no role"),
]
HARDENED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]}}


def run_helm(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False)


def helm(*arguments: str) -> str:
    done = run_helm(*arguments)
    assert done.returncode == 0, f"helm {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def template(settings: list[str]) -> list[str]:
    flags = [flag for setting in settings for flag in ("--set", setting)]
    return ["template", "test", str(CHART), "--namespace", "serving", "--kube-version",
            KUBERNETES[0], *flags]


def validate(documents: list[dict]) -> None:
    for document in documents:
        for version in KUBERNETES:
            kubernetes_validate.validate(document, version, strict=True)


def only(documents: list[dict], kind: str) -> dict:
    (found,) = (document for document in documents if document["kind"] == kind)
    return found


def write_secrets(folder: pathlib.Path) -> None:
    """What the secrets hold, in the places below /etc/octet where the chart mounts them."""
    authority = Authority(folder)
    certificate, key = authority.issue("server", SERVER_NAMES)
    for place, file in (("tls/tls.crt", certificate), ("tls/tls.key", key),
                        ("client-ca/ca.crt", authority.certificate)):
        (folder / place).parent.mkdir(exist_ok=True)
        shutil.copy(file, folder / place)
    (folder / "access").mkdir()
    (folder / "access/access").write_text("i infer token:0b8f29c5a1cf40e59df5b5c3e0a3d2b1\n")
    (folder / "access/access").chmod(0o440)


def check_flags(arguments: list[str], config: str | None) -> None:
    """The server takes these flags, with the zoo in place of the volume."""
    assert arguments[arguments.index("--model-repository") + 1] == "/models"
    assert ("/etc/octet/config/octet.yaml" in arguments) == (config is not None)
    program = pathlib.Path(os.environ["OCTET_BIN_DIR"]) / "octet-server"
    zoo = str(ROOT / "models/zoo/repository")
    with tempfile.TemporaryDirectory() as folder:
        secrets = pathlib.Path(folder)
        write_secrets(secrets)
        (secrets / "config").mkdir()
        (secrets / "config/octet.yaml").write_text(config or "")
        here = [zoo if word == "/models" else word.replace("/etc/octet", folder)
                for word in arguments]
        done = subprocess.run([program, *here, "--check-config"], capture_output=True, text=True,
                              check=False)
    assert done.returncode == 0, f"octet-server {arguments}: {done.stderr}"


def check_probes(container: dict, config: dict) -> None:
    """They ask as the HTTP listener is: with TLS where it has it, and without a certificate."""
    has_tls = ("--tls-certificate" in container["args"]
               and config.get("access", {}).get("http", {}).get("tls", True))
    for probe, path in (("startupProbe", "ready"), ("readinessProbe", "ready"),
                        ("livenessProbe", "live")):
        wanted = {"path": f"/v2/health/{path}", "port": "http"}
        if has_tls:
            wanted["scheme"] = "HTTPS"
        assert container[probe]["httpGet"] == wanted, container[probe]
    if has_tls and "--tls-client-ca" in container["args"]:
        assert config["access"]["http"]["require_client_certificate"] is False, config


def check_workload(documents: list[dict]) -> None:
    deployment = only(documents, "Deployment")["spec"]
    service = only(documents, "Service")["spec"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]

    labels = deployment["template"]["metadata"]["labels"]
    for selector in (deployment["selector"]["matchLabels"], service["selector"]):
        assert selector.items() <= labels.items(), f"{selector} selects no pod with {labels}"

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001  # the Dockerfile's USER
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == HARDENED, container["securityContext"]

    # The image's entry point stays, so that only flags are given here.
    assert "command" not in container
    configs = [document["data"]["octet.yaml"] for document in documents
               if document["kind"] == "ConfigMap"]
    config = configs[0] if configs else None
    check_flags(container["args"], config)
    check_probes(container, yaml.safe_load(config) if config else {})
    drain = container["args"][container["args"].index("--drain-delay") + 1]
    assert pod["terminationGracePeriodSeconds"] > int(drain.removesuffix("s"))

    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": 8001, "http": 8000, "metrics": 8002}, ports
    assert {port["targetPort"] for port in service["ports"]} == set(ports)
    assert container["resources"]["requests"] == container["resources"]["limits"]

    claimed = {volume["name"]: volume for volume in pod.get("volumes", [])}
    mounts = {mount["name"]: mount for mount in container.get("volumeMounts", [])}
    assert set(mounts) == set(claimed)
    for name, mount in mounts.items():
        assert mount["readOnly"] and mount["mountPath"] == (
            "/models" if name == "models" else f"/etc/octet/{name}"), mount
        # A secret that is mounted in part never changes, and its group is the server's.
        if name != "models":
            assert "subPath" not in mount, mount
        if "secret" in claimed[name]:
            assert claimed[name]["secret"]["defaultMode"] == 0o440
            assert pod["securityContext"]["fsGroup"] == 10001


def main() -> int:
    manifests = ROOT / "deploy/kubernetes/octet.yaml"
    documents = list(yaml.safe_load_all(manifests.read_text()))
    validate(documents)
    check_workload(documents)
    print(f"{manifests.relative_to(ROOT)}: fits Kubernetes {' and '.join(KUBERNETES)}")
    if HELM is None:
        print("helm is not installed: the chart is not checked")
        return 1 if os.environ.get("OCTET_REQUIRE_ALL") == "1" else 77

    helm("lint", "--strict", "--kube-version", KUBERNETES[0], str(CHART))
    for settings, more in CASES:
        documents = [document for document in yaml.safe_load_all(helm(*template(settings)))
                     if document]
        kinds = {document["kind"] for document in documents}
        wanted = ALWAYS - {"ServiceAccount"} if "serviceAccount.create=false" in settings else ALWAYS
        assert kinds == wanted | more, f"{settings}: got {sorted(kinds)}"
        validate([document for document in documents if document["kind"] != "ServiceMonitor"])
        check_workload(documents)
        wanted = [config for setting, config in CONFIGURED.items() if setting in settings][-1:]
        found = [yaml.safe_load(document["data"]["octet.yaml"]) for document in documents
                 if document["kind"] == "ConfigMap"]
        assert found == wanted, f"{settings}: got {found}"
        print(f"{settings or 'default values'}: {sorted(kinds)}")
    for settings, message in REFUSED:
        done = run_helm(*template(settings))
        assert done.returncode != 0 and message in done.stderr, f"{settings}: {done.stderr}"
        print(f"{settings}: refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
