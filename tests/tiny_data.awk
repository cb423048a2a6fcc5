# One binary CIFAR-10 batch of stripes that tell the class: awk -v n=100 -v seed=1 -f tiny_data.awk >data_batch_1.bin
# Run with LC_ALL=C, or bytes above 127 become two. Labels are 1 to 4, because some awks cannot print byte 0.
function plane(label, tint,   x, y, v, row) {
  for (y = 0; y < 32; y++) {
    row = ""
    for (x = 0; x < 32; x++) {
      v = ((x * (label % 2) + y * (label > 2) + shift) % 8 < 4 ? 70 : 170) + tint + int(40 * rand())
      row = row byte[v]
    }
    printf "%s", row
  }
}

BEGIN {
  srand(seed)
  for (i = 1; i < 256; i++) byte[i] = sprintf("%c", i)
  for (i = 0; i < n; i++) {
    label = 1 + i % 4
    shift = int(8 * rand())
    printf "%s", byte[label]
    plane(label, 5 * label)
    plane(label, 0)
    plane(label, -10)
  }
}
