import { element, setStatus } from './elements.js';

/** Shows the camera until a picture is taken of it. @param take receives the video while it shows the picture */
export function camera(take: (video: HTMLVideoElement) => void): void {
  const open = element<HTMLButtonElement>('camera');
  const panel = element('camera-panel');
  const video = element<HTMLVideoElement>('video');
  let stream: MediaStream | undefined;

  function close(): void {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = undefined;
    video.srcObject = null;
    panel.hidden = true;
    open.focus();
  }

  // Pages that came over plain http from elsewhere get no camera.
  if (!('mediaDevices' in navigator)) {
    open.disabled = true;
    open.title = 'The camera needs https or localhost';
    return;
  }
  open.addEventListener('click', async () => {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
    } catch (error) {
      setStatus(`no camera: ${(error as Error).message}`, true);
      return;
    }
    video.srcObject = stream;
    await video.play();
    panel.hidden = false;
    element('take').focus();
  });
  element('take').addEventListener('click', () => {
    take(video);
    close();
  });
  element('cancel').addEventListener('click', close);
  panel.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') close();
  });
}
