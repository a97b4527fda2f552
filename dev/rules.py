"""Write the alert rules as a PrometheusRule of the Prometheus operator."""

from pathlib import Path

_DEPLOY = Path(__file__).parents[1] / "deploy"
RULES = _DEPLOY / "observability" / "alerts.yaml"
"""The rules as Prometheus itself reads them: the one place where they are written by hand."""
MANIFEST = _DEPLOY / "components" / "monitoring" / "prometheusrule.yaml"

_HEAD = """\
# Generated from deploy/observability/alerts.yaml by `make contracts`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: review-sentiment-worker
spec:
"""


def prometheus_rule() -> str:
    """The manifest that the rules make."""
    rules = RULES.read_text(encoding="utf-8") if RULES.exists() else "groups: []\n"
    return _HEAD + "".join(f"  {line}\n" if line else "\n" for line in rules.splitlines())


def main() -> None:
    """Write the manifest."""
    MANIFEST.write_text(prometheus_rule(), encoding="utf-8")
    print(MANIFEST.relative_to(_DEPLOY.parent))


if __name__ == "__main__":
    main()
