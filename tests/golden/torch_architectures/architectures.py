# SPDX-License-Identifier: Apache-2.0
"""Networks as people have them, with random weights: small ones of every kind, and the real sizes of
torchvision's. Each is a function that gives (module, inputs by name, open axes by input)."""

import torch
from torch import nn
from torch.nn import functional as F
import torchvision
import transformers

BATCH = {0: "batch"}
SEQUENCE = {0: "batch", 1: "sequence"}


class Recurrent(nn.Module):
    """Token ids to a class, by the last step of two layers."""

    def __init__(self, kind, bidirectional=False, batch_first=True):
        super().__init__()
        self.batch_first = batch_first
        self.embedding = nn.Embedding(50, 8)
        self.layers = getattr(nn, kind)(8, 12, 2, batch_first=batch_first,
                                        bidirectional=bidirectional)
        self.head = nn.Linear(24 if bidirectional else 12, 5)

    def forward(self, ids):
        x = self.embedding(ids)
        y, _ = self.layers(x if self.batch_first else x.transpose(0, 1))
        return self.head(y[:, -1] if self.batch_first else y[-1])


class LastStates(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(8, 12, batch_first=True, bidirectional=True)
        self.head = nn.Linear(24, 3)

    def forward(self, x):
        _, (hidden, _) = self.layer(x)
        return self.head(torch.cat([hidden[0], hidden[1]], -1))


class Encoder(nn.Module):
    """PyTorch's own transformer encoder."""

    def __init__(self, norm_first):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=norm_first,
                                           activation="gelu")
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.layers(x).mean(1))


class SelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0] + x


class Detector(nn.Module):
    """A backbone with SiLU and pooled pyramids, two scales, boxes out of distributions."""

    CLASSES, BINS = 3, 8

    def __init__(self):
        super().__init__()

        def conv(channels_in, channels_out, kernel=1, stride=1):
            return nn.Sequential(nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2,
                                           bias=False), nn.BatchNorm2d(channels_out), nn.SiLU())

        outputs = 4 * self.BINS + self.CLASSES
        self.stem = nn.Sequential(conv(3, 8, 3, 2), conv(8, 16, 3, 2))
        self.block, self.down = conv(16, 16, 3), conv(16, 24, 3, 2)
        self.pool, self.join = nn.MaxPool2d(5, 1, 2), conv(96, 24)
        self.up, self.merge = nn.Upsample(scale_factor=2), conv(40, 16)
        self.heads = nn.ModuleList([nn.Conv2d(16, outputs, 1), nn.Conv2d(24, outputs, 1)])
        self.register_buffer("bins", torch.arange(float(self.BINS)))

    def forward(self, x):
        fine = self.stem(x)
        fine = fine + self.block(fine)
        coarse = self.down(fine)
        pools = [coarse]
        for _ in range(3):
            pools.append(self.pool(pools[-1]))
        coarse = self.join(torch.cat(pools, 1))
        fine = self.merge(torch.cat([self.up(coarse), fine], 1))
        found = []
        for feature, head, stride in zip((fine, coarse), self.heads, (4, 8)):
            y = head(feature)
            batch, _, height, width = y.shape
            boxes, classes = y.flatten(2).split((4 * self.BINS, self.CLASSES), 1)
            boxes = boxes.view(batch, 4, self.BINS, -1).softmax(2)
            sides = (boxes * self.bins.view(1, 1, -1, 1)).sum(2)
            rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5,
                                           indexing="ij")
            centres = torch.stack([columns.reshape(-1), rows.reshape(-1)])[None]
            low, high = sides.chunk(2, 1)
            low, high = centres - low, centres + high
            found.append(torch.cat([(low + high) / 2 * stride, (high - low) * stride,
                                    classes.sigmoid()], 1))
        return torch.cat(found, 2)


class Segmentation(nn.Module):
    """Down, up by a transposed convolution, to the input's size."""

    def __init__(self):
        super().__init__()
        self.fine, self.norm = nn.Conv2d(3, 8, 3, 2, 1), nn.GroupNorm(4, 8)
        self.coarse, self.other_norm = nn.Conv2d(8, 16, 3, 2, 1), nn.InstanceNorm2d(16, affine=True)
        self.up, self.head = nn.ConvTranspose2d(16, 8, 2, 2), nn.Conv2d(16, 4, 1)

    def forward(self, x):
        fine = F.leaky_relu(self.norm(self.fine(x)), 0.1)
        coarse = F.elu(self.other_norm(self.coarse(fine)))
        y = self.head(torch.cat([self.up(coarse), fine], 1))
        return F.interpolate(y, size=x.shape[-2:], mode="bilinear").log_softmax(1)


class Signal(nn.Module):
    """Convolutions over time."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv1d(4, 8, 3, padding=4, dilation=2), nn.BatchNorm1d(8)
        self.second, self.pool = nn.Conv1d(8, 8, 3, groups=4), nn.AdaptiveAvgPool1d(1)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        y = self.second(F.hardswish(self.norm(self.first(x))))
        return self.head(self.pool(F.gelu(y, approximate="tanh")).flatten(1)).softmax(-1)


class Perceptron(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(20, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 16),
            nn.Mish(), nn.LayerNorm(16), nn.Linear(16, 16), nn.PReLU(), nn.Linear(16, 16),
            nn.Softplus(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x):
        return self.layers(x).squeeze(-1)


class Language(nn.Module):
    """The first output of a model of transformers."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask)[0]


def ids(rows=2, length=9):
    return torch.randint(5, 45, (rows, length))


def recurrent(kind, axes=SEQUENCE, **options):
    return Recurrent(kind, **options), {"ids": ids()}, {"ids": axes}


def own(module, x, axes=BATCH):
    return module, {"x": x}, {"x": axes}


def language(config, model, **options):
    sizes = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
             "intermediate_size": 32, "max_position_embeddings": 40, **options}
    made = getattr(transformers, model)(getattr(transformers, config)(**sizes, return_dict=False))
    mask = torch.ones(2, 9, dtype=torch.int64)
    mask[1, 6:] = 0
    inputs = {"input_ids": ids(), "attention_mask": mask}
    return Language(made), inputs, {name: SEQUENCE for name in inputs}


def image(module, size):
    return own(module, torch.randn(2, 3, size, size))


def swin():
    return torchvision.models.SwinTransformer([2, 2], 8, [2, 2], [1, 2], [4, 4], num_classes=5)


def with_head(model):
    """A vision transformer whose last layer, which torchvision begins with zeros, says something."""
    nn.init.normal_(model.heads.head.weight)
    return model


def vision_transformer():
    return with_head(torchvision.models.VisionTransformer(16, 8, 2, 2, 16, 32, num_classes=5))


def convnext():
    block = torchvision.models.convnext.CNBlockConfig
    return torchvision.models.ConvNeXt([block(8, 16, 1), block(16, None, 1)], num_classes=5)


def maxvit():
    return torchvision.models.MaxVit((32, 32), 8, 2, [8], [1], 4, 0.0, num_classes=5)


TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1,
          "sep_token_id": 2}
SMALL = {
    "lstm": lambda: recurrent("LSTM"),
    "lstm_bidirectional": lambda: recurrent("LSTM", bidirectional=True),
    "lstm_steps_first": lambda: recurrent("LSTM", BATCH, batch_first=False),
    "lstm_states": lambda: own(LastStates(), torch.randn(2, 7, 8), SEQUENCE),
    "gru": lambda: recurrent("GRU"),
    "gru_bidirectional": lambda: recurrent("GRU", bidirectional=True),
    "rnn": lambda: recurrent("RNN", BATCH),
    "encoder": lambda: own(Encoder(True), torch.randn(2, 6, 16), SEQUENCE),
    "encoder_norm_last": lambda: own(Encoder(False), torch.randn(2, 6, 16), SEQUENCE),
    "attention": lambda: own(SelfAttention(), torch.randn(2, 6, 16)),
    "detector": lambda: image(Detector(), 32),
    "segmentation": lambda: image(Segmentation(), 32),
    "signal": lambda: own(Signal(), torch.randn(2, 4, 20)),
    "perceptron": lambda: own(Perceptron(), torch.randn(2, 20)),
    "bert": lambda: language("BertConfig", "BertModel"),
    "roberta": lambda: language("RobertaConfig", "RobertaForSequenceClassification"),
    "electra": lambda: language("ElectraConfig", "ElectraForTokenClassification",
                                embedding_size=8),
    "albert": lambda: language("AlbertConfig", "AlbertModel", embedding_size=8),
    "mpnet": lambda: language("MPNetConfig", "MPNetModel"),
    "modernbert": lambda: language("ModernBertConfig", "ModernBertModel", local_attention=4,
                                   global_attn_every_n_layers=2, **TOKENS),
    "vision_transformer": lambda: image(vision_transformer(), 16),
    "swin": lambda: image(swin(), 32),
    "convnext": lambda: image(convnext(), 32),
    "maxvit": lambda: image(maxvit(), 32),
}


def real_size(name, size=96):
    model = torchvision.models.get_model(name, weights=None)
    return image(model, size)


REAL = {name: (lambda name=name: real_size(name)) for name in (
    "resnet18", "resnet50", "resnext50_32x4d", "mobilenet_v2", "mobilenet_v3_small",
    "mobilenet_v3_large", "efficientnet_b0", "efficientnet_v2_s", "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0", "squeezenet1_0", "squeezenet1_1", "mnasnet0_5", "densenet121",
    "regnet_x_400mf", "regnet_y_400mf", "convnext_tiny")}
REAL["inception_v3"] = lambda: image(torchvision.models.inception_v3(
    weights=None, aux_logits=False, init_weights=False), 128)
REAL["googlenet"] = lambda: image(torchvision.models.googlenet(
    weights=None, aux_logits=False, init_weights=False), 96)
REAL["swin_t"] = lambda: real_size("swin_t", 224)
REAL["vit_b_16"] = lambda: image(with_head(torchvision.models.vit_b_16(weights=None)), 224)
