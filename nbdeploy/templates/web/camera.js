// The camera: start, stop, switch, and one frame at a time.

/** What to say for each error that a browser gives in place of a camera. */
const WHY = {
  NotAllowedError: 'The camera is blocked for this page. Allow it in the browser’s settings for this site, then try again.',
  NotFoundError: 'This device has no camera that the browser can see.',
  NotReadableError: 'The camera cannot be used now. Another app may be using it.',
  AbortError: 'The camera stopped by itself.',
  InsecureContextError: 'Browsers give a page the camera only over HTTPS (or on localhost).',
  NotSupportedError: 'This browser gives pages no camera.',
};

export const why = (error) => WHY[error.name] ?? error.message;

const named = (name) => Object.assign(new Error(WHY[name]), { name });

export class Camera {
  #video;
  #stream = null;
  #facing = 'environment';
  #device = '';

  constructor(video) {
    this.#video = video;
  }

  /** Whether what is shown should be mirrored: people expect that of a camera that looks at them. */
  get mirrored() {
    return this.#stream?.getVideoTracks()[0]?.getSettings().facingMode === 'user';
  }

  /** Show the camera in the video; one that is on already goes on. Raises the browser's own error. */
  async start() {
    if (this.#stream?.active) {
      await this.#video.play();
      return;
    }
    if (!window.isSecureContext) throw named('InsecureContextError');
    if (!navigator.mediaDevices?.getUserMedia) throw named('NotSupportedError');
    this.stop();
    const which = this.#device ? { deviceId: { exact: this.#device } } : { facingMode: { ideal: this.#facing } };
    const video = { ...which, width: { ideal: 1280 }, height: { ideal: 960 } };
    this.#stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    this.#video.srcObject = this.#stream;
    await this.#video.play();
  }

  stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.#video.srcObject = null;
  }

  /** How many cameras there are; known only after the person has allowed one. */
  async count() {
    return (await this.#cameras()).length;
  }

  async #cameras() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter(({ kind }) => kind === 'videoinput');
  }

  /** Go to the camera on the other side, or, where cameras have no sides, to the next. */
  async switch() {
    const now = this.#stream?.getVideoTracks()[0]?.getSettings() ?? {};
    if (now.facingMode) {
      this.#facing = now.facingMode === 'user' ? 'environment' : 'user';
    } else {
      const ids = (await this.#cameras()).map(({ deviceId }) => deviceId);
      this.#device = ids[(ids.indexOf(now.deviceId) + 1) % ids.length];
    }
    this.stop();
    await this.start();
  }

  /** The frame that is shown now, as an ImageBitmap. */
  frame() {
    return createImageBitmap(this.#video);
  }

  /** Resolves when the video shows another frame. */
  next() {
    return new Promise((resolve) => {
      if ('requestVideoFrameCallback' in this.#video) this.#video.requestVideoFrameCallback(resolve);
      else requestAnimationFrame(resolve);
    });
  }
}
