"""export(): whatever a fastai user trained, the Program on the host's pixels answers as the Learner does on files."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import nn

import nbdeploy as nd
from nbdeploy.errors import DataError, ExportError, NbdeployWarning, UnsupportedTransform
from nbdeploy.templates.python.predict import preprocess
from tests.models import conv_model, learner, loaders, patch_model

Settings = Callable[[], dict[str, Any]]


def _vision() -> Any:
    from fastai.vision import all as vision

    return vision


def _cases() -> dict[str, Settings]:
    def v() -> Any:
        return _vision()

    return {
        "crop": lambda: {"item_tfms": v().Resize(40), "batch_tfms": v().aug_transforms()},
        "squish": lambda: {
            "item_tfms": v().Resize(40, "squish"),
            "batch_tfms": [*v().aug_transforms(), v().Normalize.from_stats(*v().imagenet_stats)],
        },
        "pad_reflection_tall": lambda: {"item_tfms": v().Resize((48, 32), "pad", pad_mode="reflection")},
        "pad_border_wide": lambda: {"item_tfms": v().Resize((32, 48), "pad", pad_mode="border")},
        "pad_zeros": lambda: {"item_tfms": v().Resize(40, "pad", pad_mode="zeros")},
        "bicubic": lambda: {
            "item_tfms": v().Resize(40, resamples=(Image.Resampling.BICUBIC, Image.Resampling.NEAREST))
        },
        "random_resized_crop": lambda: {"item_tfms": v().RandomResizedCrop(40, min_scale=0.4)},
        "random_crop": lambda: {"item_tfms": [v().Resize(48), v().RandomCrop(32)]},
        "crop_pad": lambda: {"item_tfms": v().CropPad(64, pad_mode="reflection")},
        "presizing": lambda: {"item_tfms": v().Resize(64), "batch_tfms": v().aug_transforms(size=40)},
        "presizing_min_scale": lambda: {
            "item_tfms": v().Resize(64),
            "batch_tfms": [
                *v().aug_transforms(size=40, min_scale=0.75),
                v().Normalize.from_stats(*v().imagenet_stats),
            ],
        },
        "presizing_by_more_than_two": lambda: {
            "item_tfms": v().Resize(100),
            "batch_tfms": v().aug_transforms(size=32),
        },
        "presizing_uneven": lambda: {
            "item_tfms": v().Resize((90, 70)),
            "batch_tfms": v().aug_transforms(size=(32, 40), align_corners=False),
        },
        "flipping_items": lambda: {"item_tfms": [v().Resize(32), v().FlipItem(), v().DihedralItem()]},
        "erasing": lambda: {"batch_tfms": [v().RandomErasing(p=1.0)]},
    }


def drift(program: nd.Program) -> float:
    """Largest difference between Program (on the host's pixels) and Learner, over all held-out files."""
    host, run = program.signature.to_dict()["host"], program.runner()
    return max(
        float(np.abs(run(preprocess(file.path, host, channels=program.signature.channels)) - expected).max())
        for file, expected in zip(program.reference.held_out, program.reference.probabilities, strict=True)
    )


def sensitive(learn: Any) -> Any:
    """The Learner with a last layer so steep that a wrong pixel shows in the answer."""
    with torch.no_grad():
        learn.model[-1].weight.mul_(8)
    return learn


@pytest.mark.parametrize("case", _cases())
def test_every_common_pipeline_is_read_off_the_learner(case: str, pictures: Path) -> None:
    dls = loaders(pictures, **_cases()[case]())
    dls.one_batch()  # a training batch leaves traces in fastai's transforms
    program = nd.export(sensitive(learner(dls)))
    assert drift(program) < 1e-5
    assert np.ptp(program.reference.probabilities[:, 0]) > 0.05  # the answers do depend on the picture


def test_the_articles_own_three_lines_are_exported(pictures: Path) -> None:
    v = _vision()
    dls = v.ImageDataLoaders.from_folder(
        pictures, valid_pct=0.4, seed=1, bs=8, num_workers=0, item_tfms=v.Resize(64), batch_tfms=v.aug_transforms()
    )
    learn = v.vision_learner(dls, v.resnet18, pretrained=False)
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)
    program = nd.export(learn)
    assert drift(program) < 1e-5
    assert "resnet18" == program.name
    assert ("blue", "grün 🍏", "red apple") == program.signature.labels


def test_the_graph_takes_bytes_and_gives_probabilities(conv_learner: Any) -> None:
    program = nd.export(conv_learner)
    answer = program.runner()(np.full(program.signature.shape, 200, np.uint8))
    assert np.float32 == answer.dtype
    assert 1 == pytest.approx(float(answer.sum()), abs=1e-5)
    assert (1, 32, 32, 3) == program.signature.shape
    assert any("divide by 255" in line for line in program.signature.graph)


def test_the_learner_is_left_as_it_was(pictures: Path) -> None:
    learn = learner(loaders(pictures))
    learn.model.train()
    before = [p.detach().clone() for p in learn.model.parameters()]
    kinds = [type(module) for module in learn.model.modules()]
    nd.export(learn)
    assert learn.model.training
    assert kinds == [type(module) for module in learn.model.modules()]
    assert all(torch.equal(a, b) for a, b in zip(before, learn.model.parameters(), strict=True))


def test_gray_pictures_have_one_channel(pictures: Path) -> None:
    v = _vision()
    block = v.DataBlock(
        blocks=(v.ImageBlock(cls=v.PILImageBW), v.CategoryBlock),
        get_items=v.get_image_files,
        get_y=v.parent_label,
        splitter=v.RandomSplitter(0.4, seed=1),
        item_tfms=v.Resize(32),
    )
    dls = block.dataloaders(pictures, bs=8, num_workers=0)
    program = nd.export(sensitive(learner(dls, conv_model(3, channels=1))))
    assert 1 == program.signature.channels
    assert drift(program) < 1e-5


def _turning_block(v: Any, change: Callable[[Image.Image], Image.Image]) -> Any:
    class OwnImage(v.PILImage):
        @classmethod
        def create(cls, fn: Any, **_: Any) -> Any:
            return cls(change(Image.open(fn)).convert("RGB"))

    return v.DataBlock(
        blocks=(v.ImageBlock(cls=OwnImage), v.CategoryBlock),
        get_items=v.get_image_files,
        get_y=v.parent_label,
        splitter=v.RandomSplitter(0.4, seed=1),
        item_tfms=v.Resize((32, 48)),
    )


def test_a_learner_that_heeds_exif_gets_a_host_that_does(pictures: Path) -> None:
    block = _turning_block(_vision(), ImageOps.exif_transpose)
    program = nd.export(sensitive(learner(block.dataloaders(pictures, bs=8, num_workers=0))))
    assert program.signature.exif
    assert drift(program) < 1e-5


def test_opening_code_that_no_app_can_repeat_is_refused(pictures: Path) -> None:
    block = _turning_block(_vision(), lambda image: ImageOps.invert(image.convert("RGB")))
    with pytest.raises(UnsupportedTransform, match="opened in a way"):
        nd.export(learner(block.dataloaders(pictures, bs=8, num_workers=0)))


def test_tables_of_files_are_followed_to_the_file(pictures: Path) -> None:
    import pandas as pd

    v = _vision()
    files = [path.relative_to(pictures) for path in v.get_image_files(pictures)]
    frame = pd.DataFrame({"name": [str(f) for f in files], "label": [f.parent.name for f in files]})
    dls = v.ImageDataLoaders.from_df(
        frame, pictures, valid_pct=0.4, seed=1, item_tfms=v.Resize(32), bs=8, num_workers=0
    )
    program = nd.export(sensitive(learner(dls)))
    assert drift(program) < 1e-5
    assert {Path(f.path).parent.name for f in program.reference.held_out} == {
        f.label for f in program.reference.held_out
    }


def test_pictures_of_one_size_need_no_resize_and_others_are_refused(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(6):
            Image.new("RGB", (32, 32), (i * 20, 90, 200 if label == "a" else 20)).save(tmp_path / label / f"{i}.png")
    program = nd.export(learner(loaders(tmp_path, item_tfms=None, bs=2)))
    assert "exact_size" == program.signature.steps[0].op
    assert drift(program) < 1e-5
    Image.new("RGB", (40, 32)).save(tmp_path / "odd.png")
    with pytest.raises(ValueError, match="takes only 32 x 32"):
        preprocess(tmp_path / "odd.png", program.signature.to_dict()["host"], channels=3)


def test_a_transform_of_ones_own_is_named_with_what_to_pass(pictures: Path) -> None:
    v = _vision()

    class Sharpen(v.Transform):
        def encodes(self, x: Any) -> Any:
            return x

    dls = loaders(pictures, item_tfms=[v.Resize(32), Sharpen()])
    with pytest.raises(UnsupportedTransform, match="Sharpen in item_tfms") as caught:
        nd.export(learner(dls))
    assert 'replace={"Sharpen": None}' in caught.value.hint
    assert drift(nd.export(learner(dls), replace={"Sharpen": None})) < 1e-5
    with pytest.raises(UnsupportedTransform, match="not among"):
        nd.export(learner(dls), replace={"Sharpn": None})


def test_a_batch_transform_of_ones_own_is_replaced_by_a_module_that_does_the_same(pictures: Path) -> None:
    v = _vision()

    class Invert(v.Transform):
        order = 20

        def encodes(self, x: Any) -> Any:
            return 1 - x if isinstance(x, v.TensorImage) else x

    class InvertModule(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 1 - x

    learn = sensitive(learner(loaders(pictures, batch_tfms=[Invert()])))
    with pytest.raises(UnsupportedTransform, match="Invert in batch_tfms"):
        nd.export(learn)
    assert drift(nd.export(learn, replace={"Invert": InvertModule()})) < 1e-5
    with pytest.raises(ExportError, match="the pixels that reach the network differ"):
        nd.export(learn, replace={"Invert": None})
    with pytest.raises(UnsupportedTransform, match="not a torch module"):
        nd.export(learn, replace={"Invert": lambda x: 1 - x})  # type: ignore[dict-item]


def test_a_callback_that_changes_the_input_is_found_out(pictures: Path) -> None:
    v = _vision()

    class Darken(v.Callback):
        def before_batch(self) -> None:
            self.learn.xb = tuple(x * 0.3 for x in self.learn.xb)

    learn = sensitive(learner(loaders(pictures)))
    learn.add_cb(Darken())
    with pytest.raises(ExportError, match="the network itself behaves differently"):
        nd.export(learn)


def test_losses_say_how_outputs_become_probabilities(pictures: Path) -> None:
    v = _vision()
    learn = learner(loaders(pictures))
    for loss in (
        v.LabelSmoothingCrossEntropyFlat(),
        v.FocalLossFlat(),
        nn.CrossEntropyLoss(),
        nn.functional.cross_entropy,
    ):
        learn.loss_func = loss
        program = nd.export(learn)
        assert 1 == pytest.approx(float(program.reference.probabilities[0].sum()), abs=1e-5)
        assert drift(program) < 1e-5
    learn.loss_func = lambda outputs, _: outputs.sum()
    with pytest.raises(ExportError, match="activation="):
        nd.export(learn)
    assert drift(nd.export(learn, activation=nn.Softmax(1))) < 1e-5


def test_a_custom_head_is_exported(pictures: Path) -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.Parameter(torch.randn(16, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(2).std(2) @ self.weights

    model = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2), nn.ReLU(), Head())
    assert drift(nd.export(learner(loaders(pictures), model))) < 1e-5


def test_a_head_that_torch_cannot_trace_is_refused_with_the_reason(pictures: Path) -> None:
    class Head(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x.mean((2, 3))
            return x if float(x.sum()) > 1e9 else -x

    with pytest.raises(ExportError, match="cannot be exported"):
        nd.export(learner(loaders(pictures), nn.Sequential(nn.Conv2d(3, 3, 3), Head())))


def test_a_nan_weight_is_refused_by_name(pictures: Path) -> None:
    learn = learner(loaders(pictures))
    with torch.no_grad():
        learn.model[3].bias[0] = float("nan")
    with pytest.raises(ExportError, match=r"The weight 3\.bias holds NaN"):
        nd.export(learn)


def test_a_half_precision_model_is_exported_in_full_with_a_warning(pictures: Path) -> None:
    learn = sensitive(learner(loaders(pictures)))
    learn.model.half()
    with pytest.warns(NbdeployWarning, match="float16"):
        program = nd.export(learn)
    assert torch.float16 == next(learn.model.parameters()).dtype
    assert drift(program) < 1e-5


def test_a_mixed_precision_learner_is_asked_in_full_precision(pictures: Path) -> None:
    learn = sensitive(learner(loaders(pictures))).to_fp16()
    assert drift(nd.export(learn)) < 1e-5
    assert any("MixedPrecision" in type(cb).__name__ for cb in learn.cbs)


def test_a_learner_without_data_says_what_to_set(pictures: Path) -> None:
    learn = learner(loaders(pictures))
    learn.dls = None
    with pytest.raises(ExportError, match=r"learn\.dls"):
        nd.export(learn)
    with pytest.raises(ExportError, match="not a fastai Learner"):
        nd.export(learn.model)


def test_a_loaded_learner_needs_pictures_and_says_so(pictures: Path, tmp_path: Path) -> None:
    from fastai.learner import load_learner

    learn = sensitive(learner(loaders(pictures)))
    learn.export(tmp_path / "export.pkl")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = load_learner(tmp_path / "export.pkl")
        images = nd.ImageSet.from_folder(pictures)
    with pytest.raises(ExportError, match="images="):
        nd.export(loaded)
    assert drift(nd.export(loaded, images=images)) < 1e-5


def test_pictures_with_labels_that_the_model_does_not_know_are_refused(conv_learner: Any, tmp_path: Path) -> None:
    for label in ("zebra", "blue"):
        (tmp_path / label).mkdir()
        for i in range(3):
            Image.new("RGB", (40, 40), (i, len(label), 99)).save(tmp_path / label / f"{i}.png")
    with pytest.raises(DataError, match="zebra"):
        nd.export(conv_learner, images=nd.ImageSet.from_folder(tmp_path))


def test_several_labels_a_picture_are_refused_in_words(pictures: Path) -> None:
    v = _vision()
    block = v.DataBlock(
        blocks=(v.ImageBlock, v.MultiCategoryBlock),
        get_items=v.get_image_files,
        get_y=lambda path: [path.parent.name],
        splitter=v.RandomSplitter(0.4, seed=1),
        item_tfms=v.Resize(32),
    )
    with pytest.raises(ExportError, match="several labels a picture"):
        nd.export(learner(block.dataloaders(pictures, bs=8, num_workers=0)))


def test_many_held_out_files_are_sampled_the_same_way_each_time(conv_learner: Any) -> None:
    once, again = (nd.export(conv_learner, verify_files=6, calibration_files=5, seed=7) for _ in range(2))
    assert once.reference.held_out == again.reference.held_out
    assert 6 == len(once.reference.held_out)
    assert 5 == len(once.reference.calibration)
    assert 3 == len({file.label for file in once.reference.held_out})
    other = nd.export(conv_learner, verify_files=6, seed=8)
    assert once.reference.held_out != other.reference.held_out


def test_calibration_files_are_training_files(conv_learner: Any) -> None:
    program = nd.export(conv_learner)
    train = {str(path) for path in conv_learner.dls.train_ds.items}
    assert {file.path for file in program.reference.calibration} <= train
    assert not {file.path for file in program.reference.held_out} & train


def test_a_held_out_file_that_breaks_later_is_named(pictures: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(pictures, tmp_path / "p")
    learn = learner(loaders(tmp_path / "p"))
    bad = Path(learn.dls.valid_ds.items[2])
    bad.write_bytes(bad.read_bytes()[:60])
    with pytest.raises(DataError, match=bad.name):
        nd.export(learn)


def test_patch_models_and_conv_models_keep_their_place_in_the_tests() -> None:
    assert patch_model(3)(torch.zeros(1, 3, 32, 32)).shape == conv_model(3).eval()(torch.zeros(1, 3, 32, 32)).shape
