# SPDX-License-Identifier: Apache-2.0
"""helm accepts the chart, and what it renders fits Kubernetes' schemas.

Skipped, with a word, where helm is not installed: `make check-all` builds it into build/tools/bin.
"""

import pathlib
import shutil
import subprocess
import sys

import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/octet"
HELM = shutil.which("helm", path=str(ROOT / "build/tools/bin")) or shutil.which("helm")
KUBERNETES = "1.31"
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
]


def helm(*arguments: str) -> str:
    done = subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"helm {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def render(settings: list[str]) -> list[dict]:
    flags = [flag for setting in settings for flag in ("--set", setting)]
    text = helm("template", "test", str(CHART), "--namespace", "serving", *flags)
    return [document for document in yaml.safe_load_all(text) if document]


def main() -> int:
    manifests = ROOT / "deploy/kubernetes/octet.yaml"
    for document in yaml.safe_load_all(manifests.read_text()):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    print(f"{manifests.relative_to(ROOT)} fits Kubernetes {KUBERNETES}")
    if HELM is None:
        print("helm is not installed: the chart is not checked")
        return 77
    helm("lint", "--strict", str(CHART))
    for settings, more in CASES:
        documents = render(settings)
        kinds = {document["kind"] for document in documents}
        assert kinds == ALWAYS | more, f"{settings}: got {sorted(kinds)}"
        for document in documents:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        deployment = next(d for d in documents if d["kind"] == "Deployment")
        selected = deployment["spec"]["selector"]["matchLabels"]
        service = next(d for d in documents if d["kind"] == "Service")
        assert service["spec"]["selector"] == selected
        print(f"{settings or 'default values'}: {sorted(kinds)}")
    # A kind that Kubernetes itself does not define: it only has to render.
    assert "ServiceMonitor" in helm("template", "test", str(CHART), "--set",
                                    "serviceMonitor.enabled=true")
    return 0


if __name__ == "__main__":
    sys.exit(main())
