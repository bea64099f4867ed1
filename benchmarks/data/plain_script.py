"""What people write first: `plain_script.py FOLDER MODEL EPOCHS`. The peer of a whole run."""

import sys

import keras
import tensorflow as tf

folder, target, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3])
train, held_out = keras.utils.image_dataset_from_directory(
    folder,
    label_mode="categorical",
    image_size=(224, 224),
    batch_size=32,
    validation_split=0.2,
    subset="both",
    seed=1,
)
classes = len(train.class_names)
train, held_out = train.prefetch(tf.data.AUTOTUNE), held_out.prefetch(tf.data.AUTOTUNE)

backbone = keras.applications.MobileNetV2(
    (224, 224, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
)
images = keras.Input((224, 224, 3))
features = backbone(keras.layers.Rescaling(1 / 127.5, -1)(images), training=False)
answers = keras.layers.Dense(classes, "softmax")(keras.layers.Dropout(0.2)(features))
model = keras.Model(images, answers)

backbone.trainable = False
loss, metrics = "categorical_crossentropy", ["accuracy"]
model.compile(keras.optimizers.Adam(1e-3), loss, metrics=metrics)
model.fit(train, validation_data=held_out, epochs=epochs, verbose=2)

backbone.trainable = True
for layer in backbone.layers[: -round(0.3 * len(backbone.layers))]:
    layer.trainable = False
for layer in backbone.layers:
    if isinstance(layer, keras.layers.BatchNormalization):
        layer.trainable = False
model.compile(keras.optimizers.Adam(1e-4), loss, metrics=metrics)
model.fit(train, validation_data=held_out, epochs=epochs, verbose=2)
model.export(target, verbose=False)
