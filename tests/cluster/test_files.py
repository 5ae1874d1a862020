"""The files of cluster/ and the presets, checked by what will read them; each check also fails."""

import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from click import Command, Group
from click.exceptions import UsageError
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.dashboard.modules.job.cli import submit
from ray.scripts.scripts import cli as ray_cli

from spadepis.cli import main as cli
from spadepis.configuration import ConfigurationError
from spadepis.pipeline.config.command import parse_config
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.planning.estimate import PLANNED, estimate
from spadepis.pipeline.ray.metrics import StageMetrics
from spadepis.pipeline.resources.allocation import ClusterSize
from spadepis.pipeline.resources.rates import CARDS, CPU_RATES, WORK, gpu_rate

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
PRESETS = {
    "coco_stuff_train2017": ("coco-stuff", "stuffthingmaps/train2017"),
    "coco_stuff_val2017": ("coco-stuff", "stuffthingmaps/val2017"),
    "ade20k_training": ("ade20k", "annotations/training"),
    "ade20k_validation": ("ade20k", "annotations/validation"),
}
LAUNCHER_FILES = ("aws.yaml", "gcp.yaml")
KUBERAY_FILES = ("kuberay-job.yaml", "kuberay-cluster.yaml")
COMMAND_FILES = {*LAUNCHER_FILES, *KUBERAY_FILES, "slurm.sh", "README.md", "Dockerfile"}
ENDS = ("&", "&&", ";", "|", ")")


def text_of(name: str) -> str:
    return (CLUSTER / name).read_text()


def commands(text: str, program: str) -> list[list[str]]:
    """Command lines of a program in a text: continued with a backslash, or folded in YAML."""
    text = re.sub(r"\\\n\s*", " ", text)
    # A folded line of YAML goes on where it is indented and starts with a flag or a URI.
    text = re.sub(r"\n +(?=--)", " ", text)
    found = []
    for match in re.finditer(rf"(?:^|[;&] ?|-- | {{2,}}|RUN ){program} ([^\n;]*)", text, re.M):
        words = shlex.split(f"{program} {match[1]}")
        end = next((i for i, word in enumerate(words) if word in ENDS), len(words))
        found.append(words[:end])
    return found


def check_job(words: Sequence[str]) -> JobConfig:
    """Parse the flags of ``spadepis run JOB ...``, the configuration being the preset here."""
    job, *flags = words[2:]
    local = [re.sub(r"^(s3://BUCKET/)?jobs/", f"{ROOT}/jobs/", word) for word in flags]
    return parse_config(Job(job), local)


def check_spadepis(words: Sequence[str]) -> None:
    if words[1] == "run":
        check_job(words)
    else:
        cli.parser_of(words[1]).parse_args(words[2:])


def check_ray(words: Sequence[str]) -> None:
    """Parse the flags of a ``ray`` command, which is not run."""
    command: Command = ray_cli
    rest = list(words[1:])
    while isinstance(command, Group):
        name = rest.pop(0)
        found = command.commands.get(name)
        if found is None:
            raise UsageError(f"no command {name}")
        command = found
    existing = {"cluster_config_file"}
    for parameter in command.params:
        if parameter.name in existing:
            assert (ROOT / rest[0]).is_file()
    command.make_context(command.name, rest, resilient_parsing=False)


def check_launcher(text: str) -> Mapping[str, Any]:
    prepared: dict[str, Any] = prepare_config(yaml.safe_load(text))
    validate_config(prepared)
    return prepared


def check_kuberay(text: str) -> Mapping[str, Any]:
    schema = yaml.safe_load((Path(__file__).parent / "kuberay_v1.yaml").read_text())
    document: dict[str, Any] = yaml.safe_load(text)
    jsonschema.validate(document, schema)
    spec = document["spec"]
    cluster = spec.get("rayClusterSpec", spec)
    for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
        check_start([f"--{name}" for name in group["rayStartParams"]])
    return document


def check_start(flags: Sequence[str]) -> None:
    known = {name for option in ray_cli.commands["start"].params for name in option.opts}
    unknown = {flag.partition("=")[0] for flag in flags} - known
    assert not unknown, f"ray start knows no {unknown}"


def check_dockerfile(text: str) -> None:
    base = re.findall(r"^FROM (\S+)$", text, re.M)
    assert len(base) == 1
    name, _, tag = base[0].partition(":")
    version = re.match(r"(\d+)\.(\d+)\.\d+-", tag)
    assert name == "python" and version, f"{base[0]}: no version of Python"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    least = project["requires-python"].removeprefix(">=")
    assert (int(version[1]), int(version[2])) >= tuple(map(int, least.split(".")))
    users = re.findall(r"^USER (\S+)$", text, re.M)
    assert users and users[-1] not in ("root", "0"), "runs as root"
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for copied in re.findall(r"^COPY (.+) \S+$", text, re.M):
        for path in copied.split():
            assert (ROOT / path).exists(), path
            assert f"!{path}" in ignored, f"{path} is not sent to the builder"
    extras = re.findall(r"'\.\[([a-z0-9,]+)\]'", text)
    assert extras
    assert set(extras[0].split(",")) <= project["optional-dependencies"].keys()


def check_shell(text: str) -> None:
    subprocess.run(["bash", "-n"], input=text, text=True, check=True, capture_output=True)
    starts = commands(text, "ray start")
    assert len(starts) == 2
    for words in starts:
        check_start([word for word in words[1:] if word.startswith("--")])


@pytest.mark.parametrize("name", LAUNCHER_FILES)
def test_launcher_files_fit_rays_schema_and_start_from_a_head_without_work(name: str) -> None:
    config = check_launcher(text_of(name))
    types = config["available_node_types"]
    assert set(types) == {"head", "gpu", "cpu"}
    assert types["head"]["resources"] == {"CPU": 0}
    for kind in ("gpu", "cpu"):
        assert types[kind]["min_workers"] == 0 < types[kind]["max_workers"]
    assert types["gpu"]["resources"]["GPU"] == 1
    assert "GPU" not in types["cpu"]["resources"]
    assert config["max_workers"] == sum(types[kind]["max_workers"] for kind in ("gpu", "cpu"))
    # No step but those of the file: what the defaults add would install another Ray.
    assert not config["head_setup_commands"] and not config["worker_setup_commands"]


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("max_workers: 16", "max_workers: many"),
        ("cluster_name", "cluster_nam"),
        ("min_workers: 0", "minimum_workers: 0"),
        ("head_node_type: head", "head_node_type: none_such"),
        ("head_node_type: head", "head_type: head"),
    ],
)
@pytest.mark.parametrize("name", LAUNCHER_FILES)
def test_a_broken_launcher_file_is_refused(name: str, part: str, other: str) -> None:
    assert part in text_of(name)
    with pytest.raises((jsonschema.ValidationError, ValueError)):
        check_launcher(text_of(name).replace(part, other))


def test_kuberay_files_have_known_fields_and_one_cluster() -> None:
    job, cluster = (check_kuberay(text_of(name)) for name in KUBERAY_FILES)
    assert job["kind"] == "RayJob" and cluster["kind"] == "RayCluster"
    assert job["spec"]["rayClusterSpec"] == cluster["spec"]
    assert job["spec"]["backoffLimit"] > 0 and job["spec"]["shutdownAfterJobFinishes"]
    spec = cluster["spec"]
    assert spec["enableInTreeAutoscaling"]
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert [group["groupName"] for group in spec["workerGroupSpecs"]] == ["gpu", "cpu"]
    for group in spec["workerGroupSpecs"]:
        resources = group["template"]["spec"]["containers"][0]["resources"]
        assert ("nvidia.com/gpu" in resources["limits"]) == (group["groupName"] == "gpu")


@pytest.mark.parametrize("name", KUBERAY_FILES)
@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("ray.io/v1", "ray.io/v1alpha1"),
        ("maxReplicas: 8", 'maxReplicas: "8"'),
        ("maxReplicas: 8", "maximumReplicas: 8"),
        ("rayStartParams", "rayStartParameters"),
        ('num-cpus: "0"', "num-cpus: 0"),
        ('num-cpus: "0"', 'cpus: "0"'),
        ("image: IMAGE", "img: IMAGE"),
        ("workerGroupSpecs", "workerGroups"),
        ("runAsNonRoot: true", "runAsNonRoot: false"),
        ("runAsUser: 1000", "runAsUser: 0"),
        ("RuntimeDefault", "Unconfined"),
        ("allowPrivilegeEscalation: false, ", ""),
        ("drop: [ALL]", "drop: [KILL]"),
    ],
)
def test_a_broken_kuberay_file_is_refused(name: str, part: str, other: str) -> None:
    assert part in text_of(name)
    with pytest.raises((jsonschema.ValidationError, AssertionError)):
        check_kuberay(text_of(name).replace(part, other))


def test_the_slurm_script() -> None:
    check_shell(text_of("slurm.sh"))


@pytest.mark.parametrize(("part", "other"), [("fi\n", "\n"), ("--num-cpus", "--cpus")])
def test_a_broken_slurm_script_is_refused(part: str, other: str) -> None:
    assert part in text_of("slurm.sh")
    with pytest.raises((subprocess.CalledProcessError, AssertionError)):
        check_shell(text_of("slurm.sh").replace(part, other))


def test_the_dockerfile() -> None:
    check_dockerfile(text_of("Dockerfile"))


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("USER ray", ""),
        ("USER ray", "USER root"),
        ("3.11.11-slim-bookworm", "latest"),
        ("3.11.11", "3.10.16"),
        ("COPY jobs", "COPY tests"),
        ("[s3,", "[s4,"),
    ],
)
def test_a_broken_dockerfile_is_refused(part: str, other: str) -> None:
    assert part in text_of("Dockerfile")
    with pytest.raises(AssertionError):
        check_dockerfile(text_of("Dockerfile").replace(part, other))


@pytest.mark.parametrize("name", sorted(COMMAND_FILES))
def test_every_command_line_is_one(name: str) -> None:
    text = text_of(name)
    # What a variable holds only the shell knows; all that must be numbers may be 1.
    text = re.sub(r"\$(\w+|\{[^}]*\})", "1", text)
    for words in commands(text, "spadepis"):
        check_spadepis(words)
    for words in commands(text, "ray"):
        check_ray(words)


def test_command_lines_are_found_in_full() -> None:
    job = [yaml.safe_load(text_of("kuberay-job.yaml"))["spec"]["entrypoint"].split()]
    submitted = [w for w in commands(text_of("README.md"), "spadepis") if w[1] == "run"]
    started = [w for w in commands(text_of("slurm.sh"), "spadepis") if w[1] == "run"]
    assert commands(text_of("kuberay-job.yaml"), "spadepis") == job == submitted
    assert len(started) == 1
    config = check_job(job[0])
    assert (config.machines.cluster_cpus, config.machines.cluster_gpus) == (384, 8)
    assert config.styles.styles_per_mask == 4
    submissions = [w for w in commands(text_of("README.md"), "ray") if w[1:3] == ["job", "submit"]]
    assert len(submissions) == 1
    flags = submissions[0][3:]
    entry = submit.make_context("submit", flags).params["entrypoint"]
    assert list(entry) == submitted[0]


def test_the_size_given_to_the_job_is_what_the_files_grow_to() -> None:
    for name in LAUNCHER_FILES:
        types = check_launcher(text_of(name))["available_node_types"]
        most = [
            sum(kind["max_workers"] * kind["resources"].get(what, 0) for kind in types.values())
            for what in ("CPU", "GPU")
        ]
        assert most[0] == 384 and most[1] == 8
    groups = check_kuberay(text_of("kuberay-cluster.yaml"))["spec"]["workerGroupSpecs"]
    for what, most_of in (("num-cpus", 384), ("num-gpus", 8)):
        count = [g["maxReplicas"] * int(g["rayStartParams"].get(what, 0)) for g in groups]
        assert sum(count) == most_of


@pytest.mark.parametrize(
    "line",
    [
        "spadepis run synthesize_and_stylize --config jobs/presets/camvid.yaml --clutser-cpus 4",
        "spadepis run synthesise --config jobs/presets/ade20k_training.yaml",
        "spadepis plan --mask a --cpus 4 --gpu 3",
        "ray job submit --no-such-flag -- spadepis run",
        "ray start --address=a --no-such-flag",
        "ray lift cluster/aws.yaml",
    ],
)
def test_a_wrong_command_line_is_refused(line: str) -> None:
    words = line.split()
    check = check_spadepis if words[0] == "spadepis" else check_ray
    with pytest.raises((ConfigurationError, ValueError, UsageError, SystemExit)):
        check(words)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_parse_and_name_the_published_folders(name: str) -> None:
    dataset, masks = PRESETS[name]
    job = Job.SYNTHESIZE_AND_STYLIZE
    config = parse_config(job, ["--config", str(ROOT / "jobs" / "presets" / f"{name}.yaml")])
    assert (config.inputs.dataset, config.styles.styles_per_mask) == (dataset, 4)
    assert str(config.inputs.masks).endswith(masks)
    assert Path(config.output.output).name == name


@pytest.mark.parametrize(
    ("name", "scenes"), [("coco_stuff_train2017", 118_287), ("ade20k_training", 20_210)]
)
def test_presets_of_whole_splits_say_how_long_they_take(name: str, scenes: int) -> None:
    minutes = []
    # As spadepis plan does it.
    cpu_rates = {stage: CPU_RATES[stage] for stage in PLANNED}
    for card in CARDS:
        rates = {stage: gpu_rate(card, stage) for stage in WORK}
        hours = estimate(scenes, 4, ClusterSize(16, 1, card), cpu_rates, rates).hours
        minutes.append(f"{CARDS[card].name} {float(f'{60 * hours:.2g}'):g}")
    preset = (ROOT / "jobs" / "presets" / f"{name}.yaml").read_text()
    assert f"computed from rates of stages: {', '.join(minutes)}.\n" in preset


def test_the_dashboard_shows_metrics_that_there_are() -> None:
    dashboard = json.loads(text_of("grafana.json"))
    asked = " ".join(t["expr"] for panel in dashboard["panels"] for t in panel["targets"])
    report = StageMetrics("write")
    counters = (report.pairs, report.failed, report.rejected, report.seconds)
    exported = {f"ray_{counter.info['name']}_total" for counter in counters}
    assert set(re.findall(r"ray_spadepis_\w+", asked)) == exported
    # Of Ray Data's own, docs/scaling.md has those that were seen.
    seen = (ROOT / "docs" / "scaling.md").read_text()
    assert all(name in seen for name in re.findall(r"ray_data_\w+", asked))
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places) == 6
